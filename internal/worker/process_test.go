package worker

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/fondue-server/fondue/internal/shm"
)

// process is a worker in a process of its own; the test is its master.
type process struct {
	cmd      *exec.Cmd
	ready    *os.File // read end
	lifeline *os.File // the master's end
	log      bytes.Buffer
	addr     string
	access   string // path of the access log
	id       shm.ID
}

// newRegion creates a region in a file, with the test as its master.
func newRegion(t *testing.T) (*shm.Region, *shm.Store) {
	t.Helper()
	region, err := shm.Create(filepath.Join(t.TempDir(), "region"), shm.Geometry{Size: 8 << 20, Slots: 4})
	if err != nil {
		t.Fatal(err)
	}
	master, _, err := region.AttachMaster(false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if report := region.Check(); !report.OK() {
			t.Errorf("region after the test: %v", report.Violations)
		}
		_ = master.Detach()
		_ = region.Close()
	})
	return region, master
}

// spawn starts a worker. change may spoil what is handed over.
func spawn(t *testing.T, region *shm.Region, master *shm.Store, lane bool, change func(*handoff.Worker, *exec.Cmd)) *process {
	t.Helper()
	p := new(process)
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	nl, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.addr = nl.Addr().String()
	socket := os.NewFile(uintptr(duplicate(t, nl.(*net.TCPListener))), "listener")
	nl.Close()
	var lifeline, ready *os.File
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	lifeline, p.lifeline = os.NewFile(uintptr(ends[0]), "lifeline"), os.NewFile(uintptr(ends[1]), "lifeline of the master")
	if p.ready, ready, err = os.Pipe(); err != nil {
		t.Fatal(err)
	}
	p.access = filepath.Join(t.TempDir(), "access")
	access, err := os.OpenFile(p.access, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if p.id, err = master.Claim(-1); err != nil {
		t.Fatal(err)
	}
	w := handoff.Worker{
		Slot: p.id.Slot, Generation: p.id.Generation,
		RegionFD: 3, LifelineFD: 4, ReadyFD: 5, AccessLogFD: 6,
		Listeners: []handoff.Listener{{FD: 7, Network: "tcp", Addr: p.addr}},
		LogFormat: "text", LogLevel: "debug", ShutdownTimeout: 10 * time.Second, Procs: 1, FastLane: lane,
	}
	p.cmd = exec.Command("/proc/self/exe")
	if change != nil {
		change(&w, p.cmd)
	}
	text, err := w.Encode()
	if err != nil {
		t.Fatal(err)
	}
	// The race detector would hold up the end of the process for a second.
	p.cmd.Env = append(os.Environ(), childRole+"=worker", handoff.Env+"="+text, "GORACE=atexit_sleep_ms=0")
	p.cmd.ExtraFiles = []*os.File{region.File(), lifeline, ready, access, socket}
	p.cmd.Stderr = &p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	master.Spawned(p.id, p.cmd.Process.Pid)
	for _, f := range []*os.File{lifeline, ready, access} {
		f.Close()
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		if _, err := master.Recover(p.id); err != nil && !errors.Is(err, shm.ErrSlotLost) {
			t.Errorf("recover: %v", err)
		}
		p.lifeline.Close()
		p.ready.Close()
		socket.Close()
		if t.Failed() {
			t.Logf("log of the worker:\n%s", p.log.String())
		}
	})
	return p
}

// awaitReady fails unless the worker says that it is ready.
func (p *process) awaitReady(t *testing.T) {
	t.Helper()
	message, err := handoff.ReadReady(p.ready)
	if err != nil || !message.Ready {
		t.Fatalf("ready message %+v, %v", message, err)
	}
}

// exit waits for the end of the process and returns its exit code.
func (p *process) exit(t *testing.T) int {
	t.Helper()
	err := p.cmd.Wait()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return p.cmd.ProcessState.ExitCode()
}

func TestLifeOfAWorker(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, lane bool) {
		region, master := newRegion(t)
		p := spawn(t, region, master, lane, nil)
		p.awaitReady(t)
		c, err := dial("tcp", p.addr, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for range 3 {
			if _, err := c.send(increment); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := master.Get([]byte("count")); n != 3 || err != nil {
			t.Errorf("the master reads %d, %v", n, err)
		}
		row := func() shm.SlotInfo {
			for _, s := range region.Slots() {
				if s.ID == p.id {
					return s
				}
			}
			return shm.SlotInfo{}
		}
		if got := row(); got.State != shm.StateReady || got.Requests != 3 || got.Connections != 1 || got.PID != p.cmd.Process.Pid {
			t.Errorf("scoreboard %+v", got)
		}
		waitFor(t, "memory reading", func() bool { return row().Memory > 0 })
		// Signals that the worker leaves to its master.
		for _, ignored := range []syscall.Signal{syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE} {
			if err := p.cmd.Process.Signal(ignored); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := c.send(increment); err != nil {
			t.Fatal(err)
		}
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "draining", func() bool { return row().State == shm.StateDraining })
		if _, err := io.WriteString(c, strings.Replace(increment, "/increment", "/readyz", 1)); err != nil {
			t.Fatal(err)
		}
		if status, body, closing, err := c.receive(); status != 503 || !closing || err != nil {
			t.Errorf("readyz while draining: %d %s, closing %v, %v", status, body, closing, err)
		}
		if code := p.exit(t); code != handoff.ExitOK {
			t.Errorf("exit code %d", code)
		}
		if _, err := master.Recover(p.id); err != nil {
			t.Error(err)
		}
		lines, err := os.ReadFile(p.access)
		if err != nil || strings.Count(string(lines), "\n") != 5 || !strings.Contains(string(lines), `"GET /readyz HTTP/1.1" 503`) {
			t.Errorf("access log %q, %v", lines, err)
		}
	})
}

func TestCannotBoot(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, lane bool) {
		region, master := newRegion(t)
		for name, s := range map[string]struct {
			change func(*handoff.Worker, *exec.Cmd)
			code   int
			says   string
		}{
			"generation": {func(w *handoff.Worker, _ *exec.Cmd) { w.Generation++ }, handoff.ExitSlotLost, "slot"},
			"slot":       {func(w *handoff.Worker, _ *exec.Cmd) { w.Slot = 99 }, handoff.ExitSlotLost, "slot"},
			"region":     {func(w *handoff.Worker, _ *exec.Cmd) { w.RegionFD, w.AccessLogFD = 6, handoff.None }, handoff.ExitCannotBoot, "region"},
			"listener":   {func(w *handoff.Worker, _ *exec.Cmd) { w.Listeners[0].FD = 60 }, handoff.ExitCannotBoot, "listener"},
			"log":        {func(w *handoff.Worker, _ *exec.Cmd) { w.LogLevel = "loud" }, handoff.ExitCannotBoot, "loud"},
		} {
			p := spawn(t, region, master, lane, s.change)
			message, err := handoff.ReadReady(p.ready)
			if err != nil || message.Ready || !strings.Contains(message.Error, s.says) {
				t.Errorf("%s: ready message %+v, %v", name, message, err)
			}
			if code := p.exit(t); code != s.code {
				t.Errorf("%s: exit code %d, want %d", name, code, s.code)
			}
			if _, err := master.Recover(p.id); err != nil {
				t.Errorf("%s: recover: %v", name, err)
			}
		}
	})
}

// limitDescriptors makes the number of descriptors that the worker may have open n.
func (p *process) limitDescriptors(t *testing.T, n uint64) {
	t.Helper()
	var limit unix.Rlimit
	pid := p.cmd.Process.Pid
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = n
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &limit, nil); err != nil {
		t.Fatal(err)
	}
}

// TestDescriptorExhaustion: a worker that is out of descriptors goes on
// accepting when one is free again.
func TestDescriptorExhaustion(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, lane bool) {
		region, master := newRegion(t)
		p := spawn(t, region, master, lane, nil)
		p.awaitReady(t)
		p.limitDescriptors(t, 40)
		// More connections than descriptors: the rest waits in the queue.
		clients := make([]*client, 80)
		for i := range clients {
			c, err := dial("tcp", p.addr, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			clients[i] = c
			text := increment
			if i%2 == 0 {
				text = incrementBatch // by fasthttp, on the same descriptor
			}
			if _, err := io.WriteString(c, text); err != nil {
				t.Fatal(err)
			}
		}
		served := 0
		for i := range clients {
			// One that waits in the queue is served once those before it leave.
			if status, _, _, err := clients[i].receive(); status != 200 || err != nil {
				t.Fatalf("client %d: %d, %v", i, status, err)
			}
			served++
			clients[i].Close()
		}
		if n, err := master.Get([]byte("count")); n != int64(served) || err != nil {
			t.Errorf("counted %d of %d, %v", n, served, err)
		}
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if code := p.exit(t); code != handoff.ExitOK {
			t.Errorf("exit code %d", code)
		}
		if !strings.Contains(p.log.String(), "too many open files") {
			t.Error("the worker never ran out of descriptors")
		}
	})
}
