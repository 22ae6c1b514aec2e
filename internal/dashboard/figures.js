// What is computed of two looks at the server, and how figures are written. Nothing
// here touches the page.

// compare is what happened between two documents of v1/status. What is not known is
// null: rates without an earlier document, of another region, of counters that fell.
export function compare(before, now) {
  const seconds = before ? (Date.parse(now.time) - Date.parse(before.time)) / 1000 : 0;
  const counters = (d) => [d.totals.requests, d.totals.accepted_connections, d.totals.received_bytes, d.totals.sent_bytes,
    d.region.lookup_hits, d.region.lookup_misses];
  const same = seconds > 0 && before.region.created_at === now.region.created_at &&
    counters(now).every((n, i) => n >= counters(before)[i]);
  const delta = (read) => same && read(now) >= read(before) ? read(now) - read(before) : null;
  const rate = (read) => div(delta(read), seconds);
  const hits = delta((d) => d.region.lookup_hits);
  return {
    same,
    seconds,
    rate,
    hitRatio: same ? div(hits, hits + delta((d) => d.region.lookup_misses)) : null,
    quantile: (q) => same ? quantile(before.totals.latency_buckets, now.totals.latency_buckets, q) : null,
    worker: (w) => worker(same && before.workers.find((b) => b.slot === w.slot), w, seconds),
  };
}

const div = (a, b) => a === null || b === null || b === 0 ? null : a / b;

// worker compares a slot with itself. What it counts, it counts over all of its
// processes. CPU is of the time when it was said: with each heartbeat.
function worker(before, now, seconds) {
  if (!before || now.requests < before.requests) return { requests: null, cpu: null };
  const span = seconds + (before.pid === now.pid ? before.heartbeat_age_seconds - now.heartbeat_age_seconds : 0);
  const cpu = now.cpu_seconds - before.cpu_seconds;
  return { requests: (now.requests - before.requests) / seconds, cpu: span > 0.05 && cpu >= 0 ? 100 * cpu / span : null };
}

// quantile is the latency in microseconds that a share q of the answers between two
// looks did not exceed. Within a bucket answers are taken to lie evenly; the last has
// no end, and counts as its beginning.
export function quantile(before, now, q) {
  if (!before || !now || before.length !== now.length) return null;
  const counts = now.map((b, i) => b.answers - before[i].answers);
  const all = counts.reduce((a, b) => a + b, 0);
  if (all <= 0 || Math.min(...counts) < 0) return null;
  let below = 0, lower = 0;
  for (const [i, n] of counts.entries()) {
    const upper = now[i].le_us;
    if (upper === null) break;
    if (n > 0 && below + n >= q * all) return lower + (q * all - below) / n * (upper - lower);
    below += n;
    lower = upper;
  }
  return lower;
}

// pieces cuts the first array or object of a JSON text into its items or members, as
// they are written: numbers of JSON are exact, and those of JavaScript are not.
export function pieces(text) {
  const list = [];
  let depth = 0, start = 0;
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{},]/gs)) {
    const closes = token === "]" || token === "}";
    if (depth === 1 && (closes || token === ",")) {
      const piece = text.slice(start, index).trim();
      if (piece) list.push(piece);
      start = index + 1;
    }
    if (closes && --depth === 0) break;
    if ((token === "[" || token === "{") && depth++ === 0) start = index + 1;
  }
  return list;
}

// member is the text of a member's value within an object; undefined: there is none.
export function member(text, name) {
  const head = JSON.stringify(name) + ":";
  return pieces(text).find((p) => p.startsWith(head))?.slice(head.length);
}

const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const small = new Intl.NumberFormat("en", { maximumSignificantDigits: 2 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

export const none = "–";
const known = (write) => (v) => v === null || v === undefined || Number.isNaN(v) ? none : write(v);

export const count = known((n) => n < 1e6 ? plain.format(n) : short.format(n));
export const number = known((n) => (n < 10 ? small : n < 1e5 ? plain : short).format(n));
export const perSecond = known((n) => number(n) + "/s");
export const percent = known((p) => (p < 10 ? tenths : plain).format(p) + " %");
export const bytes = known((n) => scaled(n, 1024, ["B", "KiB", "MiB", "GiB", "TiB"]));
export const latency = known((us) => scaled(us, 1000, ["µs", "ms", "s"]));
export const seconds = known((s) => s < 1 ? plain.format(s * 1000) + " ms" : s < 120 ? plain.format(s) + " s" : s < 7200 ? plain.format(s / 60) + " min" :
  s < 172800 ? plain.format(s / 3600) + " h" : plain.format(s / 86400) + " d");

function scaled(v, base, names) {
  let i = 0;
  for (; v >= base * 0.9995 && i < names.length - 1; i++) v /= base;
  return (v < 10 && i > 0 ? small : plain).format(v) + " " + names[i];
}
