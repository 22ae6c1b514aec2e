package e2e_test

import (
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/fondue-server/fondue/internal/e2e"
)

// TestDashboardFigures: what the page computes and how it writes it, case by case, in
// the browser.
func TestDashboardFigures(t *testing.T) {
	s := e2e.Start(t, e2e.Options{Workers: 1})
	d := openDashboard(t, s)
	failures, err := chromedp.Run(d.ctx, chromedp.Evaluate[[]string](`import("/ui/figures.js").then((f) => {
		const failures = [];
		const is = (got, want) => {
			if (JSON.stringify(got) !== JSON.stringify(want)) failures.push(JSON.stringify(got) + ", want " + JSON.stringify(want));
		};
		const look = (second, requests, more = {}) => ({
			time: new Date(1e12 + second * 1000).toISOString(),
			region: { created_at: "a", lookup_hits: requests / 2, lookup_misses: 0, evictions: 0, ...more.region },
			totals: { requests, refused: 0, accepted_connections: 1, received_bytes: 1, sent_bytes: 1, ...more.totals,
				latency_buckets: [{ le_us: 10, answers: requests / 2 }, { le_us: 20, answers: requests / 2 }, { le_us: null, answers: 0 }] },
			workers: [{ slot: 0, pid: 7, requests, cpu_seconds: second / 2, heartbeat_age_seconds: 0.1 }],
		});
		const requests = (d) => d.totals.requests;

		// Two looks, and the first.
		const c = f.compare(look(0, 100), look(2, 300));
		is([c.rate(requests), c.hitRatio, c.quantile(0.5), c.quantile(0.99)], [100, 1, 10, 19.8]);
		is(c.worker(look(2, 300).workers[0]), { requests: 100, cpu: 50 });
		is(c.worker({ ...look(2, 300).workers[0], slot: 1 }), { requests: null, cpu: null });
		const first = f.compare(null, look(0, 100));
		is([first.rate(requests), first.hitRatio, first.quantile(0.5), first.worker(look(0, 100).workers[0]).requests], [null, null, null, null]);

		// Of another region, of counters that fell, of a clock that went back or stood still, nothing is known.
		for (const [before, now] of [
			[look(0, 100), look(1, 200, { region: { created_at: "b" } })], [look(0, 100), look(1, 50)],
			[look(0, 100, { totals: { sent_bytes: 5 } }), look(1, 100)], [look(1, 100), look(0, 200)], [look(1, 100), look(1, 200)],
		]) {
			const c = f.compare(before, now);
			is([c.same, c.rate(requests), c.hitRatio, c.quantile(0.5), c.worker(now.workers[0]).requests], [false, null, null, null, null]);
		}
		// One counter that fell takes nothing from the others.
		is(f.compare(look(0, 100, { region: { evictions: 5 } }), look(1, 200)).rate((d) => d.region.evictions), null);

		const buckets = (...n) => [5, 10, null].map((le_us, i) => ({ le_us, answers: n[i] }));
		is(f.quantile(buckets(0, 0, 0), buckets(0, 0, 0), 0.5), null);
		is(f.quantile(buckets(0, 0, 0), buckets(0, 0, 9), 0.5), 10);
		is(f.quantile(buckets(3, 0, 0), buckets(1, 5, 0), 0.5), null);
		is(f.quantile(undefined, buckets(1, 1, 1), 0.5), null);
		is(f.quantile(buckets(9, 9, 9), buckets(11, 11, 9), 0.25), 2.5);

		is(f.pieces("[]"), []);
		is(f.pieces(' [ 1.50 , "a,]\\"" ,{"b":[2,{}]},null ] , 7'), ["1.50", '"a,]\\""', '{"b":[2,{}]}', "null"]);
		is(f.member('{"status":200,"value":{"value":1},"etag":"\\"\\\\"}', "value"), '{"value":1}');
		is([f.member('{"status":404}', "value"), f.member("7", "value")], [undefined, undefined]);

		is([null, NaN, 0, 0.04, 3.14, 9.96, 123.4, 12345, 1234567].map(f.number), ["–", "–", "0", "0.04", "3.1", "10", "123", "12,345", "1.23M"]);
		is([0, 999, 1023.9, 1024, 20000, 5e9].map(f.bytes), ["0 B", "999 B", "1 KiB", "1 KiB", "20 KiB", "4.7 GiB"]);
		is([0.4, 12, 1500, 2e6].map(f.latency), ["0 µs", "12 µs", "1.5 ms", "2 s"]);
		is([0.1, 59, 600, 7200, 1e6].map(f.seconds), ["100 ms", "59 s", "10 min", "2 h", "12 d"]);
		return failures;
	})`, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	for _, failure := range failures {
		t.Error(failure)
	}
	d.wantAlone(d.addr)
	s.Stop()
}
