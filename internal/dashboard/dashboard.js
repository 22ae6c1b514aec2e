// The page: asks, and shows what it was told. What comes from the server goes into the
// document as text alone.
import { bytes, compare, count, latency, member, none, number, percent, perSecond, pieces, seconds } from "./figures.js";

const patience = 2000;   // ms that an answer may take
const slowest = 5000;    // ms between attempts, at the most
const shownFor = 4000;   // ms that what comes and goes is marked
const windowOf = 120;    // seconds of the curve
const suspect = 1;       // s without a heartbeat after which a worker gets no new connections
const mostKeys = 10;     // watched at a time
const largest = 512;     // bytes of a value that is fetched

const $ = (id) => document.getElementById(id);
const clock = (at = new Date()) => at.toLocaleTimeString("en-GB");

function set(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// fields are the places of a part of the page that have a name.
const fields = (root) => Object.fromEntries(Array.from(root.querySelectorAll("[data-f]"), (node) => [node.dataset.f, node]));
const field = fields(document);

function show(places, texts) {
  for (const name in texts) set(places[name], texts[name]);
}

async function ask(path, options) {
  const response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(patience), ...options });
  if (!response.ok) throw new Error(`${path.split("?")[0]} was answered with ${response.status}`);
  return response.text();
}

const isSilent = (w) => w.state === "ready" && w.heartbeat_age_seconds > suspect;

// ---- when to ask

let timer, asking = false, again = false, failures = 0, silentSince = null, bannerSince = 0, last = null;

const period = () => 1000 * $("every").value;

function plan(delay) {
  clearTimeout(timer);
  if (period() > 0 && !document.hidden) timer = setTimeout(poll, delay);
}

// poll asks once, and plans the next time: one request after the other, so that a
// server which is slow is not asked more.
async function poll() {
  clearTimeout(timer);
  if (asking) {
    again = true;
    return;
  }
  asking = true;
  const began = performance.now();
  let delay;
  try {
    const first = !last;
    overview(JSON.parse(await ask("v1/status")));
    answered();
    delay = first ? 400 : period();
    await watch();
  } catch (error) {
    delay = unanswered(error);
  }
  asking = false;
  plan(again ? 0 : Math.max(0, delay - (performance.now() - began)));
  again = false;
}

function answered() {
  if (failures > 2) tell(`The server answers again, after ${seconds((Date.now() - silentSince) / 1000)}`);
  failures = 0;
  document.body.classList.remove("stale");
  // Long enough to be read, even if all was well a moment later.
  setTimeout(() => { if (failures === 0) set($("banner"), ""); }, Math.max(0, bannerSince + 1500 - Date.now()));
}

// unanswered says so, and how long to wait: what broke a connection may take the
// next with it.
function unanswered(error) {
  if (failures++ === 0) silentSince = new Date();
  const network = error instanceof TypeError || error instanceof DOMException;
  if (failures === 1) {
    bannerSince = Date.now();
    if (error.name === "TimeoutError") {
      set($("banner"), `No answer within ${patience / 1000} s: a worker hangs or is stopped. Asking again on another connection.`);
      document.body.classList.add("stale");
      pill("Waiting", "bad");
    } else {
      set($("banner"), network ? "A connection broke before the answer came. Asking again on another one." : `${error.message}. Asking again.`);
    }
  }
  if (failures === 3) {
    set($("banner"), `${network ? "The server has not answered" : error.message} since ${clock(silentSince)}. ` +
      "What you see is the last that it said; it is asked again every few seconds.");
    document.body.classList.add("stale");
    pill("Not answering", "bad");
    document.title = "Not answering – Fondue";
  }
  return Math.min(slowest, 125 * 2 ** failures);
}

function pill(text, kind) {
  set($("pill"), text);
  $("pill").className = "pill " + kind;
}

// ---- the server and the region

function overview(now) {
  const c = compare(last, now), { region: r, totals: t } = now;
  const rate = c.rate((d) => d.totals.requests);
  pill(now.server_running ? "Running" : "No master", now.server_running ? "good" : "bad");
  document.title = rate === null ? "Fondue" : `${number(rate)}/s – Fondue`;
  const more = (n, read) => {
    const v = c.rate(read);
    return count(n) + (v ? `, ${perSecond(v)}` : "");
  };
  show(field, {
    masters: now.masters.map((m) => `master ${m.pid}` + (m.state === "ready" ? "" : `, ${m.state}`)).join("; "),
    rate: number(rate),
    p50: latency(c.quantile(0.5)),
    p99: latency(c.quantile(0.99)),
    refused: perSecond(c.rate((d) => d.totals.refused)),
    failed: perSecond(c.rate((d) => d.totals.failed)),
    connections: count(t.connections),
    accepted: perSecond(c.rate((d) => d.totals.accepted_connections)),
    received: rateOfBytes(c.rate((d) => d.totals.received_bytes)),
    sent: rateOfBytes(c.rate((d) => d.totals.sent_bytes)),
    region: `${r.path ? r.path + ", " : ""}${bytes(r.size_bytes)} in ${r.shards} shards`,
    fill: `${bytes(r.used_bytes)} of ${bytes(r.used_bytes + r.free_bytes)} used, ${percent(r.used_percent)}`,
    keys: count(r.keys),
    expiring: count(r.expiring_keys),
    hits: percent(100 * (c.hitRatio ?? r.lookup_hit_ratio ?? NaN)),
    evictions: more(r.evictions, (d) => d.region.evictions),
    expiries: more(r.expiries, (d) => d.region.expiries),
    waits: more(r.lock_waits, (d) => d.region.lock_waits),
    recoveries: count(r.recoveries),
    asked: `As of ${clock(new Date(now.time))}.`,
  });
  field.failed.classList.toggle("alarm", c.rate((d) => d.totals.failed) > 0);
  $("bar").setAttribute("aria-valuenow", r.used_percent);
  $("bar").firstChild.style.width = `${r.used_percent}%`;
  curve(c.same ? rate : null, Date.parse(now.time) / 1000, c.seconds);
  if (last) compareCrew(last, now, c.same);
  crew(now.workers, c);
  last = now;
}

const rateOfBytes = (v) => v === null ? none : bytes(v) + "/s";

// ---- the curve

let points = []; // { at, rate, gap }: rate null is not known; gap: nor is the time before

function curve(rate, at, interval) {
  if (points.length && at <= points.at(-1).at) points = [];
  points.push({ at, rate, gap: interval > 15 });
  points = points.filter((p) => at - p.at <= windowOf + 5);
  const peak = Math.max(0, ...points.map((p) => p.rate ?? 0));
  const runs = [];
  let run = null;
  for (const p of points) {
    if (p.rate === null || p.gap) run = null;
    if (p.rate === null) continue;
    if (!run) runs.push(run = []);
    run.push({ x: (windowOf - at + p.at).toFixed(2), y: (38 - 35 * (peak && p.rate / peak)).toFixed(2) });
  }
  const line = (r) => r.map((p) => `${p.x} ${p.y}`).join("L");
  $("spark").querySelector(".line").setAttribute("d", runs.map((r) => "M" + line(r)).join(""));
  $("spark").querySelector(".area").setAttribute("d", runs.map((r) => `M${r[0].x} 40L${line(r)}V40Z`).join(""));
  $("spark").setAttribute("aria-label", `Requests a second over two minutes: now ${number(rate)}, at most ${number(peak)}`);
  set(field.peak, runs.length ? `peak ${perSecond(peak)}` : "");
}

// ---- workers

const rows = new Map(); // by slot: { node, places, pid, until, gone }

function crew(workers, c) {
  const at = Date.now();
  for (const w of workers) {
    const row = rows.get(w.slot) ?? newRow(w);
    if (row.pid !== w.pid || row.gone) {
      if (last) row.until = at + shownFor;
      Object.assign(row, { pid: w.pid, gone: false, cpu: null });
    }
    const rates = c.worker(w);
    row.cpu = rates.cpu ?? row.cpu; // no news within a heartbeat
    show(row.places, {
      slot: String(w.slot),
      pid: String(w.pid),
      state: isSilent(w) ? "silent" : w.state,
      requests: perSecond(rates.requests),
      cpu: percent(row.cpu),
      memory: bytes(w.memory_bytes),
      open: count(w.connections),
      restarts: count(w.restarts),
      heard: seconds(w.heartbeat_age_seconds),
    });
    row.places.state.dataset.state = row.places.state.textContent;
    row.places.heard.classList.toggle("alarm", w.heartbeat_age_seconds > suspect);
  }
  const slots = new Set(workers.map((w) => w.slot));
  for (const [slot, row] of rows) {
    if (!slots.has(slot) && !row.gone) {
      Object.assign(row, { gone: true, until: at + shownFor });
      for (const place of Object.values(row.places).slice(4)) set(place, none);
      set(row.places.state, "gone");
      row.places.state.dataset.state = "gone";
    }
    const marked = at < row.until;
    if (row.gone && !marked) {
      row.node.remove();
      rows.delete(slot);
      continue;
    }
    row.node.classList.toggle("gone", row.gone);
    row.node.classList.toggle("fresh", marked && !row.gone);
    set(row.places.badge, marked && !row.gone ? "new" : "");
  }
  const ready = workers.filter((w) => w.state === "ready" && !isSilent(w)).length;
  set(field.workers, `${ready} ready` + (workers.length > ready ? `, ${workers.length - ready} not` : ""));
}

function newRow(w) {
  const node = $("worker").content.firstElementChild.cloneNode(true);
  node.dataset.slot = w.slot;
  const row = { node, places: fields(node), pid: w.pid, until: last ? Date.now() + shownFor : 0, gone: false, cpu: null };
  rows.set(w.slot, row);
  const behind = Array.from($("workers").children).find((other) => +other.dataset.slot > w.slot);
  $("workers").insertBefore(node, behind ?? null);
  return row;
}

// compareCrew tells of who came and went.
function compareCrew(before, now, same) {
  if (!same && before.region.created_at !== now.region.created_at) tell("Another region: its counters begin anew");
  const old = new Map(before.workers.map((w) => [w.slot, w]));
  for (const w of now.workers) {
    const was = old.get(w.slot);
    old.delete(w.slot);
    if (!was) tell(`Worker ${w.pid} came, to slot ${w.slot}`);
    else if (was.pid !== w.pid) tell(`Worker ${was.pid} is gone; ${w.pid} has taken slot ${w.slot}`);
  }
  for (const w of old.values()) tell(`Worker ${w.pid} has left slot ${w.slot}`);
  const masters = (d) => d.masters.map((m) => m.pid).join(", ") || "none";
  if (masters(before) !== masters(now)) tell(`Master: ${masters(now)}, was ${masters(before)}`);
}

function tell(text) {
  const item = document.createElement("li");
  const time = document.createElement("time");
  time.textContent = clock();
  item.append(time, " " + text);
  $("log").prepend(item);
  while ($("log").children.length > 6) $("log").lastChild.remove();
}

// ---- keys

let prefix = "", cursor = "", found = new Map(), shown = null, further = false;
const lines = new Map(); // by key: { node, places, text, number, at, changed }
const still = matchMedia("(prefers-reduced-motion: reduce)");

async function watch() {
  const wanted = prefix;
  try {
    // A prefix that few keys have may be far away: some steps until there is
    // something to show, and one each time from then on.
    for (let steps = shown ? 1 : 8; steps > 0 && await walk(wanted); steps--);
    if (wanted === prefix) await values(wanted);
  } catch (error) {
    if (error instanceof TypeError || error instanceof DOMException) throw error; // nobody answered
    set(field.watched, error.message);
  }
}

// walk takes one page of the list, and tells whether more is to come.
async function walk(wanted) {
  const query = new URLSearchParams({ limit: mostKeys });
  if (wanted) query.set("prefix", wanted);
  if (cursor) query.set("cursor", cursor);
  let page;
  try {
    page = JSON.parse(await ask("v1/keys?" + query));
  } catch (error) {
    cursor = ""; // it may be of a region that is no more
    found.clear();
    throw error;
  }
  if (wanted !== prefix) return false;
  for (const k of page.keys) found.set(k.key_base64 ? "64:" + k.key_base64 : "k:" + k.key, k);
  cursor = page.cursor ?? "";
  if (cursor && found.size < mostKeys) return true;
  further = cursor !== "" || found.size > mostKeys;
  shown = Array.from(found).slice(0, mostKeys).sort(([, a], [, b]) => a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
  found = new Map();
  cursor = "";
  return false;
}

async function values(wanted) {
  const list = shown ?? [];
  const small = list.filter(([, k]) => k.bytes <= largest);
  let results = [];
  if (small.length) {
    const operations = small.map(([, k]) => k.key_base64 ? { op: "get", key_base64: k.key_base64 } : { op: "get", key: k.key });
    results = pieces(member(await ask("v1/batch", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(operations) }), "results"));
  }
  if (wanted !== prefix) return;
  const texts = new Map(small.map(([id], i) => [id, member(results[i], "value")]));
  const here = list.filter(([id]) => !texts.has(id) || texts.get(id) !== undefined);
  const ids = new Set(here.map(([id]) => id));
  for (const [id, line] of lines) {
    if (ids.has(id)) continue;
    line.node.remove();
    lines.delete(id);
  }
  here.forEach(([id, k], i) => {
    const line = lines.get(id) ?? newLine(id);
    if ($("keys").children[i] !== line.node) $("keys").insertBefore(line.node, $("keys").children[i] ?? null);
    fill(line, k, texts.get(id));
  });
  show(field, {
    watched: !here.length ? "" : !further ? count(here.length) : prefix ? `${here.length} of more` : `${here.length} of ${count(last.region.keys)}`,
    nokeys: here.length ? "" : shown === null ? "Looking for them." : prefix ? "No key begins so." : `None yet. Try ${location.origin}/increment?key=visits`,
  });
}

function newLine(id) {
  const node = $("key").content.firstElementChild.cloneNode(true);
  const line = { node, places: fields(node), text: null };
  lines.set(id, line);
  return line;
}

function fill(line, k, text) {
  const at = performance.now();
  text = text === undefined ? `${k.type}, ${bytes(k.bytes)}` : text.slice(0, 200);
  const integer = k.type === "integer" && /^-?\d+$/.test(text) ? BigInt(text) : null;
  let change = none;
  if (integer !== null && typeof line.number === "bigint") {
    const rate = Number(integer - line.number) / (at - line.at) * 1000;
    change = rate ? (rate > 0 ? "▲ " : "▼ ") + perSecond(Math.abs(rate)) : none;
  } else if (line.text !== null && line.text !== text) {
    line.changed = at;
  }
  if (integer === null && line.changed) change = at - line.changed < 1000 ? "now" : `${seconds((at - line.changed) / 1000)} ago`;
  if (line.text !== null && line.text !== text && !still.matches) {
    line.places.value.animate([{ backgroundColor: "color-mix(in srgb, var(--soft) 60%, transparent)" }, { backgroundColor: "transparent" }], 700);
  }
  Object.assign(line, { text, number: integer, at });
  const expires = k.ttl ? `, expires in ${seconds(k.ttl)}` : "";
  show(line.places, { key: k.key, value: text, change });
  line.places.key.title = `${k.key}\n${k.type}, ${bytes(k.bytes)}${expires}`;
  line.places.value.classList.toggle("muted", k.bytes > largest);
}

// ---- what the visitor does

let typing;
$("prefix").addEventListener("input", () => {
  prefix = $("prefix").value;
  cursor = "";
  found = new Map();
  shown = null;
  clearTimeout(typing);
  typing = setTimeout(poll, 200);
});
$("every").addEventListener("change", () => period() > 0 ? poll() : clearTimeout(timer));
document.addEventListener("visibilitychange", () => document.hidden ? clearTimeout(timer) : plan(0));
poll();
