package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) { Main(m) }

// TestWorkerKilled: its slot serves again under another pid, and what it had
// acknowledged counts.
func TestWorkerKilled(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{Workers: 3})
	counted := 0
	for range 3 {
		for range 10 {
			s.Get("/increment?key=cnt").WantStatus(200)
			counted++
		}
		victim := s.Workers()[1]
		s.Kill(victim.PID)
		Eventually(t, readyLimit, "another process in the killed worker's slot", func() bool {
			i := slices.IndexFunc(s.Workers(), func(w Worker) bool { return w.Slot == victim.Slot && w.State == "ready" })
			return i >= 0 && s.Workers()[i].PID != victim.PID
		})
	}
	s.Get("/v1/keys/cnt").WantBody(fmt.Sprint(counted))
	if got := len(s.Children()); got != 3 {
		t.Errorf("%d children, want 3", got)
	}
	s.Stop()
}

// TestMasterKilled: the workers leave within a second, and the next start finds
// every acknowledged count.
func TestMasterKilled(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{Workers: 4})
	for range 25 {
		s.Get("/increment?key=cnt").WantStatus(200)
	}
	s.KillMaster()
	s.WantNoOrphans(time.Second)
	s = Start(t, Options{Workers: 2, Region: s.Region})
	s.Get("/v1/keys/cnt").WantBody("25")
	s.Stop()
}

// TestEveryoneKilled is the same with nobody left to tidy up.
func TestEveryoneKilled(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{Workers: 2})
	s.Get("/increment?key=cnt&by=7").WantStatus(200)
	workers := s.Children()
	s.KillMaster()
	for _, pid := range workers {
		s.Kill(pid)
	}
	s.WantNoOrphans(time.Second)
	s = Start(t, Options{Workers: 2, Region: s.Region})
	s.Get("/v1/keys/cnt").WantBody("7")
	s.Stop()
}

// TestDeathsThatNobodyReaped: workers that died with their master, or while it was
// stopped, are counted by whoever recovers their slots.
func TestDeathsThatNobodyReaped(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{Workers: 2})
	workers := s.Children()
	s.StopProcess(s.PID) // so that it does not see them die
	for _, pid := range workers {
		s.Kill(pid)
	}
	s.KillMaster()
	s = Start(t, Options{Workers: 2, Region: s.Region})
	if body := string(s.Get("/metrics").WantStatus(200).Body); !strings.Contains(body, "\nfondue_deaths_total 2\n") {
		t.Errorf("two workers died, and nobody reaped them:\n%s", body)
	}
	s.Stop()
}

// TestRestartRightAfterTheMasterDied: the new master waits for the old one's
// workers instead of refusing.
func TestRestartRightAfterTheMasterDied(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{Workers: 2})
	s.Get("/increment?key=cnt").WantStatus(200)
	s.KillMaster()
	next := Start(t, Options{Workers: 2, Region: s.Region})
	next.Get("/increment?key=cnt").WantBody(`{"key":"cnt","count":2}`)
	next.Stop()
}
