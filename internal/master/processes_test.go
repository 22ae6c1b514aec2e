package master

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/fondue-server/fondue/internal/listen"
	"github.com/fondue-server/fondue/internal/shm"
	"golang.org/x/sys/unix"
)

// reapOne waits for the end of one child. It polls: SIGCHLD belongs to the
// whole test binary.
func reapOne(t *testing.T, h *hostProcesses) exit {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if ended := h.reap(); len(ended) == 1 {
			return ended[0]
		} else if len(ended) > 1 {
			t.Fatalf("%d processes ended", len(ended))
		}
	}
	t.Fatal("the process did not end")
	return exit{}
}

// minimal is a handoff of descriptors that are all there: the child in these
// tests uses none of them but the ready pipe.
func minimal(t *testing.T) (handoff.Worker, []int) {
	t.Helper()
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(p[0]); unix.Close(p[1]) })
	w := handoff.Worker{
		Slot: 5, RegionFD: 3, LifelineFD: 4, AccessLogFD: handoff.None,
		Listeners: []handoff.Listener{{FD: 5, Network: "tcp", Addr: "none"}},
	}
	return w, []int{p[0], p[0], p[0]}
}

func TestSpawnAndReap(t *testing.T) {
	h, err := newHostProcesses(environ("cannot boot"))
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	w, descriptors := minimal(t)
	pid, ready, err := h.spawn(w, descriptors)
	if err != nil {
		t.Fatal(err)
	}
	defer ready.Close()
	if m, err := handoff.ReadReady(ready); err != nil || m.Error != "no such luck" {
		t.Errorf("ready message %+v, %v", m, err)
	}
	e := reapOne(t, h)
	if e.pid != pid || e.status.ExitStatus() != handoff.ExitCannotBoot || e.String() != "exit code 3" {
		t.Errorf("end: %+v, %s", e, e)
	}
	if err := h.kill(pid, unix.SIGTERM); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("signal to a reaped process: %v", err)
	}
}

func TestSpawnedProcess(t *testing.T) {
	h, err := newHostProcesses(environ("nothing"))
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(p[1])
	// Stopped, it can be looked at.
	stopped := handoff.Worker{Slot: 5, RegionFD: 3, LifelineFD: 4, AccessLogFD: handoff.None, Listeners: []handoff.Listener{{FD: 5, Network: "tcp"}}}
	pid, ready, err := h.spawn(stopped, []int{p[0], p[0], p[0]})
	unix.Close(p[0])
	if err != nil {
		t.Fatal(err)
	}
	defer ready.Close()
	if err := h.kill(pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	if group, err := unix.Getpgid(pid); err != nil || group != pid {
		t.Errorf("process group %d, %v; want its own, %d", group, err, pid)
	}
	// The kernel closes descriptors before it sets the new command line.
	name, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	for end := time.Now().Add(10 * time.Second); err == nil && len(name) == 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
		name, err = os.ReadFile(filepath.Join(dir, "cmdline"))
	}
	if err != nil || !strings.HasPrefix(string(name), "fondue: worker 5\x00") {
		t.Errorf("command line %q, %v", name, err)
	}
	if in, err := os.Readlink(filepath.Join(dir, "fd", "0")); err != nil || in != os.DevNull {
		t.Errorf("standard input is %q, %v", in, err)
	}
	if isMaster(pid) {
		t.Error("a worker is taken for a master")
	}
	if err := h.kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if e := reapOne(t, h); e.String() != "SIGKILL" {
		t.Errorf("end: %s", e)
	}
}

// TestHearOutAnHeir: with the end of the lender's reading comes that of the channel,
// after what was written, though a process that the heir has left has its other end.
func TestHearOutAnHeir(t *testing.T) {
	h, err := newHostProcesses(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	var hold [2]int // what is left ends with it
	if err := unix.Pipe2(hold[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(hold[1])
	defer unix.Close(hold[0])
	script := `{ read x <&3; } & echo '{"quiesce":true}' >&4; echo '{"error":"no such thing"}' >&4; exit 2`
	pid, channel, err := h.spawnHeir([]string{"/bin/sh", "-c", script}, handoff.Upgrade{PID: os.Getpid()}, []int{hold[0]})
	if err != nil {
		t.Fatal(err)
	}
	defer channel.Close()
	if e := reapOne(t, h); e.pid != pid || e.String() != "exit code 2" {
		t.Errorf("end: %+v", e)
	}
	if err := channel.CloseRead(); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(channel)
	if want := "{\"quiesce\":true}\n{\"error\":\"no such thing\"}\n"; string(text) != want || err != nil {
		t.Errorf("read %q, %v, want %q", text, err, want)
	}
}

func TestSpawnRefused(t *testing.T) {
	h, err := newHostProcesses(environ(""))
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	w, descriptors := minimal(t)
	w.Listeners = nil
	if _, _, err := h.spawn(w, descriptors); err == nil {
		t.Error("a worker without a listener was started")
	}
	if ended := h.reap(); len(ended) != 0 {
		t.Errorf("ended: %v", ended)
	}
}

func TestReapAnyAsPid1(t *testing.T) {
	// A process of its own, so that only its children are taken.
	if os.Getenv("FONDUE_TEST_PID1") == "" {
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		p, err := os.StartProcess(exe, []string{exe, "-test.run=^TestReapAnyAsPid1$"}, &os.ProcAttr{
			Env: append(environ(""), "FONDUE_TEST_PID1=1"), Files: []*os.File{nil, os.Stdout, os.Stderr},
		})
		if err != nil {
			t.Fatal(err)
		}
		if state, err := p.Wait(); err != nil || !state.Success() {
			t.Errorf("%v, %v", state, err)
		}
		return
	}
	h, err := newHostProcesses(environ("crash"))
	if err != nil {
		t.Fatal(err)
	}
	h.init = true
	w, descriptors := minimal(t)
	stranger, ready, err := h.spawn(w, descriptors)
	if err != nil {
		t.Fatal(err)
	}
	ready.Close()
	delete(h.children, stranger)
	own, ready, err := h.spawn(w, descriptors)
	if err != nil {
		t.Fatal(err)
	}
	ready.Close()
	if e := reapOne(t, h); e.pid != own || e.status.ExitStatus() != 70 {
		t.Errorf("ended: %+v, want %d", e, own)
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		h.reap()
		if _, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); errors.Is(err, syscall.ECHILD) {
			return
		}
	}
	t.Error("the stranger is a zombie still")
}

func TestConfigRefused(t *testing.T) {
	good := testConfig(t)
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for says, spoil := range map[string]func(*Config){
		"listen":      func(c *Config) { c.Listen = nil },
		"accept mode": func(c *Config) { c.Accept = "" },
		"shared":      func(c *Config) { c.SteerByCPU, c.Accept = true, listen.Shared },
		"TCP addresses": func(c *Config) {
			c.SteerByCPU, c.Listen = true, []listen.Spec{{Network: listen.Unix, Addr: "/s"}}
		},
		"fair":          func(c *Config) { c.SchedPolicy = "fair" },
		"workers":       func(c *Config) { c.Workers = 0 },
		"--max-workers": func(c *Config) { c.Workers = c.MaxWorkers + 1 },
		"--join":        func(c *Config) { c.Join, c.Fresh = true, true },
		"--args":        func(c *Config) { c.Args = slices.Repeat([]byte{' '}, 1<<20+1) },
		"--max-value":   func(c *Config) { c.MaxValue = shm.MaxMaxValue + 1 },
		"key":           func(c *Config) { c.Preload = []Preload{{Key: ""}} },
		"5 bytes": func(c *Config) {
			c.MaxValue = 4
			c.Preload = []Preload{{Key: "k", Value: shm.BytesValue([]byte(`"abc"`))}}
		},
	} {
		c := good
		spoil(&c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}

// What is between the service manager and the master is not the workers', and what
// was for the first master alone is not an heir's, who may come to have its pid.
func TestEnvironments(t *testing.T) {
	h, err := newHostProcesses([]string{"A=b", "NOTIFY_SOCKET=/run/s", "WATCHDOG_USEC=1", "WATCHDOG_PID=2", "LISTEN_PID=3", "LISTEN_FDS=1", "LISTEN_FDNAMES=a", "NOTIFY=c"})
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	if got := strings.Join(h.environ, " "); got != "A=b NOTIFY=c" {
		t.Errorf("workers inherit %q", got)
	}
	if got := strings.Join(h.inherit, " "); got != "A=b NOTIFY_SOCKET=/run/s WATCHDOG_USEC=1 NOTIFY=c" {
		t.Errorf("an heir inherits %q", got)
	}
}

func TestMemoryOfAWorker(t *testing.T) {
	h := &hostProcesses{children: map[int]int{os.Getpid(): handoff.None}}
	if n := h.memory(os.Getpid()); n < 1<<20 || n > 1<<34 {
		t.Errorf("%d bytes", n)
	}
	if n := h.memory(1 << 30); n != 0 {
		t.Errorf("%d bytes of nobody", n)
	}
}
