package worker

import (
	"io"
	"net"
	"os/exec"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/fondue-server/fondue/internal/shm"
)

// TestMasterGone: at the end of the lifeline a worker takes no more
// connections and leaves within half a second, whatever clients do.
func TestMasterGone(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, lane bool) {
		region, master := newRegion(t)
		p := spawn(t, region, master, lane, nil)
		p.awaitReady(t)
		idle, err := dial("tcp", p.addr, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		defer idle.Close()
		if _, err := idle.send(increment); err != nil {
			t.Fatal(err)
		}
		stuck, err := dial("tcp", p.addr, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		defer stuck.Close()
		if _, err := io.WriteString(stuck, increment[:10]); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		p.lifeline.Close()
		if code := p.exit(t); code != handoff.ExitOK {
			t.Errorf("exit code %d", code)
		}
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("left after %v", took)
		} else {
			t.Logf("left after %v", took)
		}
		// The test holds the socket as a master would, and its door is closed.
		if c, err := net.DialTimeout("tcp", p.addr, 100*time.Millisecond); err == nil {
			c.Close()
			t.Error("the door is open")
		}
	})
}

// TestMasterGoneWithAnHeir: the door stays open where it is another master's, or
// somebody's outside.
func TestMasterGoneWithAnHeir(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		state shm.State
		kept  bool
	}{
		"handed over":       {shm.StateDraining, false},
		"not yet in charge": {shm.StateStarting, false},
		"kept outside":      {shm.StateReady, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(t *testing.T, lane bool) {
				region, master := newRegion(t)
				p := spawn(t, region, master, lane, func(w *handoff.Worker, _ *exec.Cmd) { w.Listeners[0].Kept = c.kept })
				p.awaitReady(t)
				master.SetState(c.state)
				p.lifeline.Close()
				if code := p.exit(t); code != handoff.ExitOK {
					t.Errorf("exit code %d", code)
				}
				other, err := net.DialTimeout("tcp", p.addr, 5*time.Second)
				if err != nil {
					t.Fatal("the door is closed: ", err)
				}
				other.Close()
			})
		})
	}
}
