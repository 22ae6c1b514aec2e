package master

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/fondue-server/fondue/internal/listen"
	"github.com/fondue-server/fondue/internal/shm"
	"golang.org/x/sys/unix"
)

// playEnv tells a worker of these tests what to do instead of serving.
const playEnv = "FONDUE_TEST_PLAY"

// regionEnv makes the test binary a master over the region at the path in it,
// to be killed. It listens on PATH.sock and on some port, and has its pid in
// PATH.pid.
const regionEnv = "FONDUE_TEST_REGION"

// TestMain lets the test binary be its own worker: the master starts
// /proc/self/exe.
func TestMain(m *testing.M) {
	w, is, err := handoff.FromEnv(os.LookupEnv)
	if region, alone := os.LookupEnv(regionEnv); !is && alone {
		os.Exit(playMaster(region))
	}
	if !is {
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(handoff.ExitUsage)
	}
	os.Exit(play(w, os.Getenv(playEnv)))
}

func playMaster(region string) int {
	cfg := Config{
		Listen:   []listen.Spec{{Network: listen.Unix, Addr: region + ".sock"}, {Network: listen.TCP, Addr: "127.0.0.1:0"}},
		Settings: Settings{Workers: 2, LogLevel: "info", ShutdownTimeout: time.Second},
		Accept:   listen.PerSlot, MaxWorkers: 8, Region: region, RegionSize: 4 << 20,
		LogFormat: "text", Log: slog.New(slog.NewTextHandler(os.Stdout, nil)),
		PIDFile: region + ".pid", Environ: environ(""),
	}
	m, err := New(cfg)
	if err == nil {
		err = m.Run()
	}
	fmt.Println("ended", err)
	return 0
}

// play is a worker in miniature. To each connection it writes its pid and the
// sum that it shares with the others, and leaves when it is told to or alone.
func play(w handoff.Worker, what string) int {
	ready := os.NewFile(uintptr(w.ReadyFD), "ready")
	switch what {
	case "cannot boot":
		handoff.ReadyMessage{Error: "no such luck"}.WriteTo(ready)
		return handoff.ExitCannotBoot
	case "crash":
		return 70
	case "nothing":
		time.Sleep(time.Hour) // it is killed before
	}
	told := make(chan os.Signal, 1)
	if what == "deaf" {
		signal.Ignore(unix.SIGTERM)
	} else {
		signal.Notify(told, unix.SIGTERM)
	}
	region, err := shm.Inherit(os.NewFile(uintptr(w.RegionFD), "region"))
	if err != nil {
		handoff.ReadyMessage{Error: err.Error()}.WriteTo(ready)
		return handoff.ExitCannotBoot
	}
	store, err := region.Attach(w.ID())
	if err != nil {
		return handoff.ExitSlotLost
	}
	for _, l := range w.Listeners {
		f := os.NewFile(uintptr(l.FD), l.Addr)
		nl, err := net.FileListener(f)
		if err != nil {
			handoff.ReadyMessage{Error: err.Error()}.WriteTo(ready)
			return handoff.ExitCannotBoot
		}
		go func() {
			for {
				c, err := nl.Accept()
				if err != nil {
					return
				}
				n, err := store.Add([]byte("served"), 1, 0)
				fmt.Fprintf(c, "%d %d %v\n", os.Getpid(), n, err)
				c.Close()
			}
		}()
	}
	orphaned := make(chan struct{})
	go func() {
		os.NewFile(uintptr(w.LifelineFD), "lifeline").Read(make([]byte, 1))
		close(orphaned)
	}()
	handoff.ReadyMessage{Ready: true}.WriteTo(ready)
	ready.Close()
	select {
	case <-told:
	case <-orphaned:
	}
	time.Sleep(50 * time.Millisecond) // what is queued is served
	return handoff.ExitOK
}

// environ makes workers play.
func environ(what string) []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "FONDUE_") {
			env = append(env, e)
		}
	}
	return append(env, playEnv+"="+what)
}
