package e2e_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/fondue-server/fondue/internal/e2e"
	"github.com/fondue-server/fondue/internal/shm"
)

// dashboard is the page at the root in a browser.
type dashboard struct {
	*browser
	addr string
}

func openDashboard(t *testing.T, s *e2e.Server) *dashboard {
	t.Helper()
	d := &dashboard{startBrowser(t), s.Addrs[0]}
	d.run("open the page", chromedp.Navigate("http://"+d.addr+"/"), chromedp.WaitVisible(chromedp.CSS("#workers tr")))
	return d
}

// Of the page, in JavaScript.
const (
	rateKnown = `/^[0-9.,]+[KMB]?$/.test(document.querySelector("[data-f=rate]").textContent)`
	allIsWell = `document.querySelector("#pill").textContent === "Running" && document.querySelector("#banner").textContent === "" && ` + rateKnown
	restarts  = `Array.from(document.querySelectorAll("#workers [data-f=restarts]"), c => +c.textContent).reduce((a, b) => a + b, 0)`
)

// ready is whether there are so many rows of workers, all of them ready.
func ready(n int) string {
	return fmt.Sprintf(`(states => states.length === %d && states.every(s => s === "ready"))(Array.from(document.querySelectorAll("#workers [data-f=state]"), c => c.textContent))`, n)
}

// tells is whether the page has told of something.
func tells(text string) string {
	return fmt.Sprintf("document.querySelector('#log').textContent.includes(%s)", quoted(text))
}

// valueOf is what the page shows of a key; undefined: it does not.
func valueOf(key string) string {
	return fmt.Sprintf(`Array.from(document.querySelectorAll("#keys tr")).find(r => r.cells[0].textContent === %s)?.cells[1].textContent`, quoted(key))
}

// remember has the page keep what its pill and its banner say from now on: what is
// over within milliseconds is not seen by wait.
const remember = `window.said = [], new MutationObserver(() => said.push(document.querySelector("#pill").textContent + ": " + document.querySelector("#banner").textContent))
	.observe(document.body, { subtree: true, childList: true, characterData: true }), true`

// quoted is a text as JavaScript has it.
func quoted(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err) // not of a string
	}
	return string(b)
}

func (d *dashboard) text(expression string) string {
	d.t.Helper()
	text, err := chromedp.Run(d.ctx, chromedp.Evaluate[string](expression))
	if err != nil {
		d.fail(expression, err)
	}
	return text
}

// forgive forgets requests to the server that were not answered. The browser says so
// of each, and no page can keep it from that.
func (d *dashboard) forgive() {
	d.mu.Lock()
	defer d.mu.Unlock()
	kept := d.problems[:0]
	for _, p := range d.problems {
		if !strings.HasPrefix(p, "network: Failed to load resource: net::ERR_") || !strings.Contains(p, " http://"+d.addr+"/v1/") {
			kept = append(kept, p)
		}
	}
	d.problems = kept
}

// TestDashboard: the page shows workers, rates and keys as they change, and goes on
// when the worker that it talks to is killed.
func TestDashboard(t *testing.T) {
	s := e2e.Start(t, e2e.Options{Workers: 3})
	region, err := shm.OpenReadOnly(s.Region)
	if err != nil {
		t.Fatal(err)
	}
	defer region.Close()
	d := openDashboard(t, s)
	d.wait("three workers", ready(3))
	load := e2e.StartLoad(t, d.addr, e2e.LoadOptions{KeepAlive: 2, NewConn: 1, Path: "/increment?key=visits"})
	d.wait("a rate that is not only of the page", `(n => n > 20 || /[KM]/.test(n))(document.querySelector("[data-f=rate]").textContent.replace(",", ""))`)
	d.wait("a latency", `/[0-9] (µs|ms|s)$/.test(document.querySelector("[data-f=p99]").textContent)`)
	d.wait("the key", valueOf("visits")+" > 0")
	before := d.text(valueOf("visits"))
	d.wait("the value to change", valueOf("visits")+" > "+before)
	d.wait("its rate", `document.querySelector("#keys [data-f=change]").textContent.startsWith("▲")`)
	d.wait("a curve", `document.querySelector("#spark .line").getAttribute("d").includes("L")`)
	load.Stop()

	for n := 1; n <= 2; n++ {
		victim := connected(t, region)
		s.Kill(victim.PID)
		d.wait("the page to tell of the death", tells(fmt.Sprintf("Worker %d ", victim.PID)))
		d.wait("its successor", ready(3)+fmt.Sprintf(` && Array.from(document.querySelectorAll("#workers [data-f=pid]")).every(c => c.textContent !== "%d")`, victim.PID))
		d.wait("the restart", fmt.Sprintf("%s >= %d", restarts, n))
		d.wait("all to be well", allIsWell)
	}

	s.Signal(syscall.SIGTTIN)
	d.wait("one worker more", ready(4))
	s.Signal(syscall.SIGTTOU)
	d.wait("one worker less", ready(3))
	d.wait("the page to tell of it", tells("came, to slot 3")+" && "+tells("has left slot 3"))
	d.forgive()
	d.wantAlone(d.addr)
	s.Stop()
}

// connected is the worker that answers the page, where nobody else asks. A browser has
// more connections than it uses, and may ask for an icon on another one: this one has
// answered two rounds of questions.
func connected(t *testing.T, region *shm.Region) (worker shm.SlotInfo) {
	t.Helper()
	before := map[int]uint64{} // answers
	e2e.Eventually(t, requestsLimit, "a worker to answer the page", func() bool {
		for _, row := range region.Slots() {
			if row.Master || row.State != shm.StateReady {
				continue
			}
			meters := region.Meters(row.Slot)
			n := meters.Answers.All()
			if _, known := before[row.Slot]; !known {
				before[row.Slot] = n
			}
			if n >= before[row.Slot]+3 && row.Connections > 0 {
				worker = row
			}
		}
		return worker.PID != 0
	})
	return worker
}

// TestDashboardSilentWorker: a worker that does not answer holds the page up for some
// seconds. It asks another one then, and shows the silence.
func TestDashboardSilentWorker(t *testing.T) {
	s := e2e.Start(t, e2e.Options{Workers: 2, Flags: []string{"--hang-timeout", "0s"}})
	region, err := shm.OpenReadOnly(s.Region)
	if err != nil {
		t.Fatal(err)
	}
	defer region.Close()
	d := openDashboard(t, s)
	d.wait("all to be well", allIsWell)
	silent := connected(t, region)
	d.wait("it to remember", remember)
	s.StopProcess(silent.PID)
	d.wait("the page to say that no answer came", `said.some((s) => s.startsWith("Waiting: No answer within"))`)
	d.wait("the page to show who is silent", allIsWell+fmt.Sprintf(` && document.querySelector("#workers tr[data-slot='%d'] .state").textContent.includes("silent")`, silent.Slot))
	s.Kill(silent.PID)
	d.wait("its successor", tells(fmt.Sprintf("Worker %d is gone", silent.PID))+" && "+allIsWell+` && document.querySelector("#workers .alarm") === null`)
	d.forgive()
	d.wantAlone(d.addr)
	s.Stop()
}

// TestDashboardPauses: the page asks nothing while it is paused, or not seen, and goes
// on after that.
func TestDashboardPauses(t *testing.T) {
	s := e2e.Start(t, e2e.Options{Workers: 1})
	d := openDashboard(t, s)
	d.wait("all to be well", allIsWell)
	pass := func() (requests int) {
		t.Helper()
		// In the page, whose timers have had their time then.
		if _, err := chromedp.Run(d.ctx, chromedp.Evaluate[bool]("new Promise((done) => setTimeout(() => done(true), 1500))", chromedp.EvalAwaitPromise)); err != nil {
			d.fail("let time pass", err)
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		return len(d.requests)
	}
	const changed, seen = "; every.dispatchEvent(new Event('change')), true", "; document.dispatchEvent(new Event('visibilitychange')), true"
	for _, how := range []struct{ stop, goOn string }{
		{"every.value = 0" + changed, "every.value = 1" + changed},
		{"Object.defineProperty(document, 'hidden', { value: true, configurable: true })" + seen, "delete document.hidden" + seen},
	} {
		d.wait("it to stop", how.stop)
		before := pass() // what was on its way is done
		if now := pass(); now != before {
			t.Errorf("%d requests after %s", now-before, how.stop)
		}
		look := d.text(`document.querySelector("[data-f=asked]").textContent`)
		d.wait("it to go on", how.goOn)
		d.wait("another look", `document.querySelector("[data-f=asked]").textContent !== `+quoted(look))
	}
	d.wantAlone(d.addr)
	s.Stop()
}

// TestDashboardAlone: the page says that the server is gone, and recovers when there
// is one again, of the same region or another, whose counters begin anew.
func TestDashboardAlone(t *testing.T) {
	s := e2e.Start(t, e2e.Options{Workers: 2})
	d := openDashboard(t, s)
	d.wait("all to be well", allIsWell)
	for _, o := range []e2e.Options{{Region: s.Region}, {}} {
		for range 30 {
			s.Get("/count")
		}
		s.Stop()
		d.wait("the page to say that the server is gone", `document.querySelector("#pill").textContent === "Not answering" && document.querySelector("#banner").textContent.includes("has not answered since")`)
		before := s.Region
		o.Workers, o.Listen = 2, []string{d.addr}
		s = e2e.Start(t, o)
		d.wait("all to be well again", allIsWell+" && "+ready(2)+` && !document.body.classList.contains("stale")`)
		d.wait("the page to tell of it", tells("The server answers again"))
		if s.Region != before {
			d.wait("the page to tell of the other region", tells("Another region"))
		}
		d.wait("the new master", fmt.Sprintf(`document.querySelector("[data-f=masters]").textContent === "master %d"`, s.PID))
	}
	d.forgive()
	d.wantAlone(d.addr)
	s.Stop()
}

// TestDashboardHostile: what is in the store is text in the page, whatever it is.
func TestDashboardHostile(t *testing.T) {
	s := e2e.Start(t, e2e.Options{})
	const image = `<img src=x onerror="window.hit=1">`
	for _, put := range []struct{ path, value string }{
		{"%3Cimg%20src=x%20onerror=%22window.hit=1%22%3E", `"<script>window.hit = 1</script>"`},
		{"__proto__", `{"__proto__":{"hit":1},"constructor":[]}`},
		{"%ff%fe", "9007199254740993"},
		{"%E2%80%AE%0A%00", `"a]},{\"[\\"`},
		{"large", `"` + strings.Repeat("<b>", 1000) + `"`},
		{"precise", " 1.50 "},
	} {
		s.Do("PUT", "/v1/keys/"+put.path, put.value).WantStatus(201)
	}
	d := openDashboard(t, s)
	for key, value := range map[string]string{
		image: `"<script>window.hit = 1</script>"`, "__proto__": `{"__proto__":{"hit":1},"constructor":[]}`, "\ufffd\ufffd": "9007199254740993",
		"\u202e\n\x00": `"a]},{\"[\\"`, "large": "string, 2.9 KiB", "precise": "1.50",
	} {
		d.wait("the key "+key, valueOf(key)+" === "+quoted(value))
	}
	d.run("type a prefix", chromedp.SendKeys(chromedp.CSS("#prefix"), "<img"))
	d.wait("one key", `document.querySelectorAll("#keys tr").length === 1`)
	d.wait("the value of that key", valueOf(image)+" !== undefined")
	d.run("go on with one that no key has", chromedp.SendKeys(chromedp.CSS("#prefix"), "&x=%"))
	d.wait("none", `document.querySelectorAll("#keys tr").length === 0 && document.querySelector("[data-f=nokeys]").textContent === "No key begins so."`)
	d.wait("nothing to have become markup", `window.hit === undefined && ({}).hit === undefined && document.querySelectorAll("main img, main script").length === 0`)
	d.wantAlone(d.addr)
	s.Stop()
}
