package e2e_test

import (
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/e2e"
	"github.com/fondue-server/fondue/internal/shm"
	"golang.org/x/sys/unix"
)

// crowd is clients that have connected and sent a request, and wait.
type crowd struct {
	t       *testing.T
	waiting sync.WaitGroup
	mu      sync.Mutex
	failed  []error
	slowest time.Duration
}

// gather connects n clients at once.
func gather(t *testing.T, addr string, n int) *crowd {
	t.Helper()
	c := &crowd{t: t}
	var connected sync.WaitGroup
	for range n {
		connected.Add(1)
		c.waiting.Go(func() {
			begin := time.Now()
			err := e2e.AskOnce(addr, "/increment?key=queued", connected.Done)
			c.mu.Lock()
			defer c.mu.Unlock()
			if err != nil {
				c.failed = append(c.failed, err)
			}
			c.slowest = max(c.slowest, time.Since(begin))
		})
	}
	connected.Wait()
	return c
}

// wantAnswered waits for all answers.
func (c *crowd) wantAnswered() {
	c.t.Helper()
	c.waiting.Wait()
	if len(c.failed) > 0 {
		c.t.Errorf("%d were not answered, first: %v", len(c.failed), c.failed[0])
	}
}

// TestQueueOfADeadWorker: of a thousand connections that wait for a worker when
// it is killed, none is lost.
func TestQueueOfADeadWorker(t *testing.T) {
	t.Parallel()
	for _, kind := range []struct{ name, listen, accept string }{
		{"reuseport", "127.0.0.1:0", "reuseport"},
		{"shared", "127.0.0.1:0", "shared"},
		{"unix", "unix:" + t.TempDir() + "/s", "reuseport"},
	} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			s := e2e.Start(t, e2e.Options{Workers: 1, Listen: []string{kind.listen}, Flags: []string{"--accept", kind.accept, "--hang-timeout", "1h"}})
			victim := s.Workers()[0].PID
			s.StopProcess(victim)
			waiting := gather(t, s.Addrs[0], 1000)
			s.Kill(victim)
			waiting.wantAnswered()
			if got := count(t, s, "queued"); got != 1000 {
				t.Errorf("count is %d, want 1000", got)
			}
			t.Logf("1000 answered, the slowest after %v", waiting.slowest.Round(time.Millisecond))
			s.Stop()
		})
	}
}

// TestQueueOfAStoppedWorker: what waits for a worker that does not go on is
// served by the others, long before it is replaced.
func TestQueueOfAStoppedWorker(t *testing.T) {
	t.Parallel()
	s := e2e.Start(t, e2e.Options{Workers: 3, Flags: []string{"--hang-timeout", "1h"}})
	region, err := shm.OpenReadOnly(s.Region)
	if err != nil {
		t.Fatal(err)
	}
	defer region.Close()
	victim := anyWorker(region)
	s.StopProcess(victim.PID)
	waiting := gather(t, s.Addrs[0], 300)
	waiting.wantAnswered()
	if got := count(t, s, "queued"); got != 300 {
		t.Errorf("count is %d, want 300", got)
	}
	if !strings.Contains(s.Log(), "takes over what waits for another") {
		t.Error("nobody took over a queue")
	}
	t.Logf("the slowest was answered after %v", waiting.slowest.Round(time.Millisecond))
	if err := syscall.Kill(victim.PID, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	e2e.Eventually(t, requestsLimit, "the worker to be heard again", func() bool {
		return strings.Contains(s.Log(), fmt.Sprintf(`"msg":"worker is heard again","slot":%d`, victim.Slot))
	})
	s.Stop()
}

// TestQueueOfASeatInBackOff: a worker that crashes again and again keeps nobody
// waiting for its next one.
func TestQueueOfASeatInBackOff(t *testing.T) {
	t.Parallel()
	s := e2e.Start(t, e2e.Options{Workers: 2})
	region, err := shm.OpenReadOnly(s.Region)
	if err != nil {
		t.Fatal(err)
	}
	defer region.Close()
	slot := anyWorker(region).Slot
	var slowest []time.Duration
	pid := 0
	for range 12 {
		last := pid // whose end may not have been noticed yet: others have its queue
		e2e.Eventually(t, requestsLimit, "the next worker", func() bool {
			for _, row := range region.Slots() {
				if row.Slot == slot && row.State == shm.StateReady {
					pid = row.PID
				}
			}
			return pid != last
		})
		s.StopProcess(pid)
		waiting := gather(t, s.Addrs[0], 20)
		// It runs while it prints its last words, and must not accept meanwhile.
		if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{}, nil); err != nil {
			t.Fatal(err)
		}
		for _, s := range []syscall.Signal{syscall.SIGSEGV, syscall.SIGCONT} {
			if err := syscall.Kill(pid, s); err != nil {
				t.Fatal(err)
			}
		}
		waiting.wantAnswered()
		slowest = append(slowest, waiting.slowest.Round(time.Millisecond))
	}
	if got := count(t, s, "queued"); got != 12*20 {
		t.Errorf("count is %d, want %d", got, 12*20)
	}
	t.Logf("slowest answers of each crash: %v", slowest)
	if last := slowest[len(slowest)-1]; last > 4*time.Second {
		t.Errorf("after many crashes an answer took %v, as long as the back-off", last)
	}
	s.Stop()
}
