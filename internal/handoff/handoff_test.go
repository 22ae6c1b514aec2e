package handoff

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/shm"
)

func sample() Worker {
	return Worker{
		Slot: 3, Generation: 7,
		RegionFD: 3, LifelineFD: 4, ReadyFD: 5, AccessLogFD: None,
		Listeners: []Listener{
			{FD: 6, Network: "tcp", Addr: "127.0.0.1:8000"},
			{FD: 7, Network: "unix", Addr: "/run/fondue \"x\".sock", Shared: true},
		},
		FastLane: true, Evict: true, MaxValue: 4 << 20, AccessLogPath: "/var/log/access.log",
		LogFormat: "json", LogLevel: "info",
		ShutdownTimeout: 30 * time.Second, Procs: 2, MemoryLimit: 1 << 30,
	}
}

func env(value string) func(string) (string, bool) {
	return func(name string) (string, bool) { return value, name == Env }
}

func TestRoundTrip(t *testing.T) {
	want := sample()
	text, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, is, err := FromEnv(env(text))
	if err != nil || !is || !reflect.DeepEqual(got, want) {
		t.Fatalf("FromEnv: %+v, %v, %v; want %+v", got, is, err, want)
	}
	if id := got.ID(); id.Slot != 3 || id.Generation != 7 {
		t.Errorf("ID: %+v", id)
	}
	if p := got.Policy(); p != (shm.Policy{Evict: true, MaxValue: 4 << 20}) {
		t.Errorf("Policy: %+v", p)
	}
}

func TestNoWorker(t *testing.T) {
	_, is, err := FromEnv(func(string) (string, bool) { return "", false })
	if is || err != nil {
		t.Fatalf("a process without %s: %v, %v", Env, is, err)
	}
}

func TestRefused(t *testing.T) {
	for name, spoil := range map[string]func(*Worker){
		"no listener":      func(w *Worker) { w.Listeners = nil },
		"standard stream":  func(w *Worker) { w.RegionFD = 2 },
		"missing lifeline": func(w *Worker) { w.LifelineFD = None },
		"same twice":       func(w *Worker) { w.Listeners[1].FD = 5 },
		"access log twice": func(w *Worker) { w.AccessLogFD = 6 },
		"network":          func(w *Worker) { w.Listeners[0].Network = "udp" },
		"value limit":      func(w *Worker) { w.MaxValue = -1 },
		"too large values": func(w *Worker) { w.MaxValue = shm.MaxMaxValue + 1 },
	} {
		w := sample()
		spoil(&w)
		if _, err := w.Encode(); err == nil {
			t.Errorf("%s: encoded", name)
		}
	}
	for _, text := range []string{"", "{", "[]", "{}"} {
		if _, is, err := FromEnv(env(text)); !is || err == nil {
			t.Errorf("FromEnv(%q): %v, %v", text, is, err)
		}
	}
}

func TestReadyMessage(t *testing.T) {
	for _, want := range []ReadyMessage{
		{Ready: true},
		{Ready: true, Dropped: []int{0, 2}},
		{Error: "slot 3 is lost\nand \"more\""},
	} {
		var b bytes.Buffer
		if _, err := want.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadReady(&b); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("read %+v, %v; want %+v", got, err, want)
		}
	}
}

func TestReadyMessageIsCut(t *testing.T) {
	var b bytes.Buffer
	if _, err := (ReadyMessage{Error: strings.Repeat("\x00", 10_000)}).WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	if b.Len() > maxMessage {
		t.Fatalf("%d bytes", b.Len())
	}
	if got, err := ReadReady(&b); err != nil || got.Error == "" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestReadyMessageRefused(t *testing.T) {
	for text, want := range map[string]error{
		"":                              ErrNoMessage,
		`{"ready":tr`:                   ErrNoMessage,
		"{}\n":                          nil,
		"ready\n":                       nil,
		strings.Repeat("x", maxMessage): ErrNoMessage,
	} {
		_, err := ReadReady(strings.NewReader(text))
		if err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("ReadReady(%.20q): %v", text, err)
		}
	}
}
