package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/e2e"
	"github.com/fondue-server/fondue/internal/shm"
)

const (
	soakEnv  = "FONDUE_SOAK"      // how many events; make soak asks for a thousand
	soakSeed = "FONDUE_SOAK_SEED" // that chose the events of an earlier run
	// soakHang is short, so that a worker that was stopped is replaced soon.
	soakHang = 2 * time.Second
)

// TestSoak lives through what operators and fate do to a server, at random and
// mixed, under load: no acknowledged increment is lost, nothing fails that does
// not have to, and the region is whole after each event.
func TestSoak(t *testing.T) {
	t.Parallel()
	events := 40
	if testing.Short() {
		events = 10
	}
	if text := os.Getenv(soakEnv); text != "" {
		var err error
		if events, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	s := newSoak(t)
	for n := range events {
		s.step(n)
	}
	s.end()
}

// soak is a server that is started again where it was killed, and its loads.
type soak struct {
	*e2e.Server
	t       *testing.T
	rand    *rand.Rand
	program *program
	config  string
	o       e2e.Options
	region  *shm.Region
	mib     int // size of the region
	loads   []*e2e.Load
	seen    failures
	counts  map[string]int // events by name
	settled time.Duration  // the longest way back to order
}

// failures are what clients have seen.
type failures struct{ refused, broken, odd int64 }

func newSoak(t *testing.T) *soak {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv(soakSeed); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%s=%d chooses these events again", soakSeed, seed)
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(seed, 0))
	// An address of its own: a restart finds its port free of clients' sockets.
	address := fmt.Sprintf("127.%d.%d.%d:0", 1+rand.IntN(250), rand.IntN(250), 1+rand.IntN(250))
	s := &soak{t: t, rand: r, program: newProgram(t), config: filepath.Join(dir, "fondue.toml"), mib: 8, counts: map[string]int{}}
	s.configure("workers = 3")
	s.o = e2e.Options{
		Config: s.config, Region: filepath.Join(dir, "region"), Listen: []string{address, "unix:" + filepath.Join(dir, "s")}, Binary: s.program.path,
		Flags: []string{"--hang-timeout", soakHang.String(), "--access-log", filepath.Join(dir, "access.log")},
	}
	s.start()
	s.o.Listen[0] = s.Addrs[0]
	for _, addr := range s.Addrs {
		s.loads = append(s.loads, e2e.StartLoad(t, addr, e2e.LoadOptions{KeepAlive: 6, NewConn: 3, Path: "/increment?key=k"}))
	}
	return s
}

func (s *soak) configure(text string) {
	s.t.Helper()
	text += fmt.Sprintf("\nregion-size = \"%dMiB\"\n", s.mib)
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *soak) start() {
	s.t.Helper()
	s.Server = e2e.Start(s.t, s.o)
	s.open()
}

// open looks at the region that the server has now.
func (s *soak) open() {
	s.t.Helper()
	if s.region != nil {
		s.region.Close()
	}
	var err error
	if s.region, err = shm.OpenReadOnly(s.Region); err != nil {
		s.t.Fatal(err)
	}
}

// event is something that happens to the server. A gentle one fails nothing, a
// rude one breaks connections, and none but a fatal one refuses a connect.
type event struct {
	name string
	kind int
	do   func(s *soak)
}

const (
	gentle = iota
	rude
	fatal
)

var soakEvents = []event{
	{"reload", gentle, func(s *soak) { s.Signal(syscall.SIGHUP) }},
	{"one more", gentle, func(s *soak) { s.Signal(syscall.SIGTTIN) }},
	{"one less", gentle, func(s *soak) { s.Signal(syscall.SIGTTOU) }},
	{"rotate", gentle, func(s *soak) { s.Signal(syscall.SIGUSR1) }},
	{"upgrade", gentle, func(s *soak) { s.Upgrade() }},
	{"upgrade and grow", gentle, func(s *soak) {
		s.mib++
		s.configure("workers = 3")
		s.Upgrade()
		s.open()
	}},
	{"upgrade to what does not start", gentle, func(s *soak) {
		s.program.install("/bin/false")
		from := len(s.Log())
		s.BeginUpgrade()
		e2e.Eventually(s.t, requestsLimit, "the upgrade to fail", func() bool { return strings.Contains(s.Log()[from:], "this server goes on") })
		s.program.install(e2e.Binary(s.t))
	}},
	{"reload a bad file", gentle, func(s *soak) {
		s.configure("workers = \"many\"")
		from := len(s.Log())
		s.Signal(syscall.SIGHUP)
		e2e.Eventually(s.t, requestsLimit, "the reload to be refused", func() bool { return strings.Contains(s.Log()[from:], "reload is refused") })
		s.configure("workers = 3")
	}},
	{"reload with another number", gentle, func(s *soak) {
		s.configure(fmt.Sprintf("workers = %d", 1+s.rand.IntN(5)))
		s.Signal(syscall.SIGHUP)
	}},
	{"worker killed", rude, func(s *soak) { s.hit(syscall.SIGKILL) }},
	{"worker crashes", rude, func(s *soak) { s.hit(syscall.SIGSEGV) }},
	{"worker told to leave", gentle, func(s *soak) { s.hit(syscall.SIGTERM) }},
	{"worker stopped", rude, func(s *soak) { s.hit(syscall.SIGSTOP) }},
	{"worker stopped for a moment", rude, func(s *soak) {
		if pid := s.hit(syscall.SIGSTOP); pid != 0 {
			time.Sleep(time.Duration(s.rand.IntN(1500)) * time.Millisecond)
			_ = syscall.Kill(pid, syscall.SIGCONT) // or it has been killed
		}
	}},
	{"master killed", fatal, func(s *soak) {
		s.KillMaster()
		s.start()
	}},
	{"server stopped", fatal, func(s *soak) {
		s.Stop()
		s.start()
	}},
}

// hit sends a signal to a random worker.
func (s *soak) hit(sig syscall.Signal) (pid int) {
	ready := pids(s.region)
	if len(ready) == 0 {
		return 0
	}
	all := make([]int, 0, len(ready))
	for pid := range ready {
		all = append(all, pid)
	}
	slices.Sort(all)
	pid = all[s.rand.IntN(len(all))]
	if slices.Contains(s.Children(), pid) { // it lives, and is this server's
		_ = syscall.Kill(pid, sig) // or it has ended
	}
	return pid
}

// step lets one to three events happen, one right after the other, and waits for
// order.
func (s *soak) step(n int) {
	s.t.Helper()
	kind := gentle
	var names []string
	for range 1 + s.rand.IntN(3) {
		e := soakEvents[s.rand.IntN(len(soakEvents))]
		names = append(names, e.name)
		s.counts[e.name]++
		kind = max(kind, e.kind)
		e.do(s)
		time.Sleep(time.Duration(s.rand.IntN(50)) * time.Millisecond)
	}
	what := fmt.Sprintf("event %d (%s)", n, strings.Join(names, ", "))
	begin := time.Now()
	s.await(what, kind)
	s.settled = max(s.settled, time.Since(begin))
	for _, load := range s.loads {
		load.More(50)
	}
	s.judge(what, kind)
	s.Check()
	if s.t.Failed() {
		s.t.Fatalf("after %s", what)
	}
}

// await waits until every worker that there is serves, and no other is left, for
// a while: a reload may be between two workers, and a worker that was stopped is
// not known to be until its heart has not beaten for some time.
func (s *soak) await(what string, kind int) {
	s.t.Helper()
	while := 150 * time.Millisecond
	if kind >= rude {
		while = 800 * time.Millisecond
	}
	since := time.Now()
	e2e.Eventually(s.t, time.Minute, what+": order", func() bool {
		rows, serving := s.region.Slots(), 0
		for _, row := range rows {
			if !row.Master && row.State == shm.StateReady && row.HeartbeatAge < 500*time.Millisecond {
				serving++
			}
		}
		if serving == 0 || serving+1 != len(rows) {
			since = time.Now()
		}
		return time.Since(since) > while
	})
}

// judge looks at what clients have seen since it was called before.
func (s *soak) judge(what string, kind int) {
	s.t.Helper()
	var now failures
	for _, l := range s.loads {
		now.refused += l.Refused.Load()
		now.broken += l.Broken.Load()
		now.odd += l.Odd.Load()
	}
	was := s.seen
	s.seen = now
	if now.odd > was.odd || kind < fatal && now.refused > was.refused || kind < rude && now.broken > was.broken {
		s.t.Errorf("%s: %d connects refused, %d requests broken, %d answered oddly; first error of all: %v, %v", what,
			now.refused-was.refused, now.broken-was.broken, now.odd-was.odd, s.loads[0].FirstError(), s.loads[1].FirstError())
	}
}

func (s *soak) end() {
	s.t.Helper()
	var acked, broken int64
	for _, l := range s.loads {
		l.Stop()
		acked += l.Acked.Load()
		broken += l.Broken.Load()
	}
	if got := count(s.t, s.Server, "k"); got < acked || got > acked+broken {
		s.t.Errorf("count is %d; %d were acknowledged and %d broken off", got, acked, broken)
	}
	s.region.Close()
	s.Stop()
	s.t.Logf("%d requests, %d broken, %d connects refused; longest way back to order %v; %v", acked, broken, s.seen.refused, s.settled.Round(time.Millisecond), s.counts)
}
