package report

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/fondue-server/fondue/bench/result"
)

// kind is a made-up target: what it costs, and how it behaves.
type kind struct {
	result.Target
	user, system float64 // µs of CPU for a request
	sweep        bool    // measured over connections and keys as well
	loses        float64 // share of the acknowledged increments
}

func kinds() []kind {
	t := func(name, title string, workers int, exact bool, command ...string) result.Target {
		return result.Target{Name: name, Title: title, Workers: workers, Exact: exact, Command: command}
	}
	return []kind{
		{t("constant-2", "a constant body, fasthttp, pre-fork", 2, false, "bin/constant", "-listen", "127.0.0.1:0", "-workers", "2"), 6.8, 10.6, true, 0},
		{t("fondue-1", "fondue, 1 worker", 1, true, "bin/fondue", "--workers", "1"), 6.7, 10.4, false, 0},
		{t("fondue-2", "fondue, 2 workers", 2, true, "bin/fondue", "--workers", "2"), 7.0, 10.8, true, 0},
		{t("fondue-4", "fondue, 4 workers", 4, true, "bin/fondue", "--workers", "4"), 7.3, 11.6, false, 0},
		{t("fondue-2-shared", "fondue, 2 workers, one accept queue", 2, true, "bin/fondue", "--workers", "2", "--accept", "shared"), 7.1, 11.3, false, 0},
		{t("nginx-constant", "nginx, a constant", 2, false, "nginx", "-c", "nginx.conf", "-g", "daemon off;"), 3.1, 9.9, false, 0},
		{t("nginx-lua", "nginx, a Lua shared dict", 2, true, "nginx", "-c", "nginx.conf", "-g", "daemon off;"), 7.9, 10.1, true, 0},
		{t("goredis", "a Go front end before Redis", 2, true, "bin/goredis", "-workers", "2"), 18, 31, false, 0},
		{t("fastapi-global", "FastAPI, a plain global, uvicorn", 2, false, "uvicorn", "--workers", "2", "app:app"), 201, 48, false, 0.496},
		{t("fastapi-redis", "FastAPI, Redis, uvicorn", 2, true, "uvicorn", "--workers", "2", "app_redis:app"), 305, 88, false, 0},
		{t("fastapi-manager", "FastAPI, a Manager dict, gunicorn --preload", 2, true, "gunicorn", "--preload", "app_manager:app"), 352, 240, false, 0.0007},
		{t("fastapi-sqlite", "FastAPI, SQLite in WAL mode, uvicorn", 2, true, "uvicorn", "--workers", "2", "app_sqlite:app"), 940, 610, false, 0},
	}
}

const sampleRounds = 7

// sample makes a report up. A factor multiplies the CPU of fondue alone, and a
// drift that of everything, as a machine does that has a slow hour.
func sample(seed uint64, factor, drift float64) *result.Report {
	random := rand.New(rand.NewPCG(seed, 1))
	r := &result.Report{
		Version: result.Version,
		Date:    time.Date(2026, 11, 20+int(seed), 9, 30, 0, 0, time.UTC),
		Command: []string{"bench", "run", "-rounds", "7", "-round", "2s", "-json", "bench.json"},
		Machine: result.Machine{CPU: "AMD EPYC 7763 64-Core Processor", CPUs: 2, Memory: 8 << 30, Kernel: "6.18.0", OS: "Debian GNU/Linux 13 (trixie)"},
		Versions: map[string]string{
			"fondue": "0.4.0", "go": "go1.26.8", "nginx": "1.26.3", "redis": "8.0.2", "python": "3.13.5", "fastapi": "0.115.11",
		},
		Skipped: []result.Skipped{{Name: "fastapi-postgres", Reason: "no initdb; apt-get install postgresql python3-asyncpg"}},
	}
	base := result.Load{Workload: "increment", Keys: 1, Connections: 64, Network: "tcp", KeepAlive: true, Pipeline: 1, Round: 2 * time.Second, Warmup: 500 * time.Millisecond}
	with := func(change func(*result.Load)) result.Load { l := base; change(&l); return l }
	sweep := []result.Load{
		with(func(l *result.Load) { l.Connections = 1 }),
		with(func(l *result.Load) { l.Connections = 256 }),
		with(func(l *result.Load) { l.Connections = 1024 }),
		with(func(l *result.Load) { l.Workload, l.Keys = "increment-uniform", 1000 }),
		with(func(l *result.Load) { l.Workload, l.Keys = "increment-uniform", 1000000 }),
		with(func(l *result.Load) { l.Rate = 20000 }),
		with(func(l *result.Load) { l.Beside = 10000 }),
	}
	for _, k := range kinds() {
		for range 5 {
			k.Start = append(k.Start, int64(1e6*(8+math.Sqrt(k.user)*12*(1+0.2*random.Float64()))))
		}
		k.MemoryAtRest = int64((3.5 + k.user/10) * float64(k.Workers) * (1 << 20))
		k.MemoryAfterLoad = int64(float64(k.MemoryAtRest) * 1.15)
		if k.Name != "fastapi-global" { // one that was not weighed
			k.IdleConnections, k.MemoryIdle = 1000, k.MemoryAtRest+int64(1000*(9+k.user/20)*1024)
			k.AnonymousAtRest = k.MemoryAtRest / 2
			k.AnonymousIdle = k.AnonymousAtRest + int64(1000*(8+k.user/20)*1024)
		}
		r.Targets = append(r.Targets, k.Target)
		if k.Name[:6] == "fondue" {
			k.user *= factor
		}
		k.user, k.system = k.user*drift, k.system*drift
		r.Cells = append(r.Cells, cellOf(k, base, random, true))
		for _, l := range sweep {
			if k.sweep {
				r.Cells = append(r.Cells, cellOf(k, l, random, false))
			}
		}
	}
	return r
}

func cellOf(k kind, load result.Load, random *rand.Rand, histograms bool) result.Cell {
	c := result.Cell{Target: k.Name, Load: load}
	slower := 1 + 0.02*math.Log10(float64(load.Keys)) + 0.05*math.Abs(math.Log10(float64(load.Connections)/64))
	for range sampleRounds {
		noise := slower * math.Exp(0.05*random.NormFloat64())
		user, system := k.user*noise*1e3, k.system*noise*1e3
		perSecond := 0.55 * 2e9 / (user + system)
		if load.Rate > 0 {
			perSecond = min(perSecond, load.Rate)
		}
		round := result.Round{Requests: int64(perSecond * load.Round.Seconds()), Elapsed: load.Round}
		round.User = time.Duration(user * float64(round.Requests))
		round.System = time.Duration(system * float64(round.Requests))
		round.Waited = (round.User + round.System) / 2
		round.Generator = round.System * 2 / 3
		h := hdrhistogram.New(1000, int64(time.Minute), 2)
		for range 1500 {
			// A long tail, as queues have it.
			took := float64(load.Connections) / perSecond * 1e9 * math.Exp(0.45*random.NormFloat64())
			if random.Float64() < 0.015 {
				took *= 3 + 3*random.ExpFloat64()
			}
			if err := h.RecordValue(int64(min(took, 59e9))); err != nil {
				panic(err)
			}
		}
		l := result.Latency{Max: h.Max()}
		l.P50, l.P90, l.P99, l.P999 = h.ValueAtQuantile(50), h.ValueAtQuantile(90), h.ValueAtQuantile(99), h.ValueAtQuantile(99.9)
		if histograms {
			text, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
			if err != nil {
				panic(err)
			}
			l.Histogram = string(text)
		}
		round.Latency = l
		c.Rounds = append(c.Rounds, round)
		if k.Name != "constant-2" && k.Name != "nginx-constant" {
			c.Acknowledged += round.Requests + round.Requests/4
		}
	}
	c.Counted = c.Acknowledged - int64(k.loses*float64(c.Acknowledged))
	return c
}
