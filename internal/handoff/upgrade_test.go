package handoff

import (
	"reflect"
	"testing"

	"github.com/fondue-server/fondue/internal/listen"
	"github.com/fondue-server/fondue/internal/shm"
)

func inheritance() Upgrade {
	return Upgrade{
		PID: 4711, Slot: 64, Generation: 3, Instance: 1 << 60, ChannelFD: 6,
		Listeners: []listen.Handed{
			{Spec: "127.0.0.1:8000", FDs: []int{3, 4}},
			{Spec: "unix:/run/f.sock", FDs: []int{5}, Shared: true, Dev: 7, Ino: 9},
		},
	}
}

func lookup(value string) func(string) (string, bool) {
	return func(name string) (string, bool) { return value, name == UpgradeEnv }
}

func TestUpgradeRoundTrip(t *testing.T) {
	want := inheritance()
	text, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, is, err := UpgradeFromEnv(lookup(text))
	if err != nil || !is || !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v, %v, %v; want %+v", got, is, err, want)
	}
	if id := got.ID(); id != (shm.ID{Slot: 64, Generation: 3}) {
		t.Errorf("ID: %+v", id)
	}
	if _, is, err := UpgradeFromEnv(env("")); is || err != nil {
		t.Errorf("a process without %s: %v, %v", UpgradeEnv, is, err)
	}
}

func TestUpgradeRefused(t *testing.T) {
	for name, spoil := range map[string]func(*Upgrade){
		"no master":       func(u *Upgrade) { u.PID = 0 },
		"standard stream": func(u *Upgrade) { u.ChannelFD = 1 },
		"same twice":      func(u *Upgrade) { u.Listeners[1].FDs[0] = 4 },
		"the channel":     func(u *Upgrade) { u.Listeners[0].FDs[1] = 6 },
	} {
		u := inheritance()
		spoil(&u)
		if _, err := u.Encode(); err == nil {
			t.Errorf("%s: encoded", name)
		}
	}
	for _, text := range []string{"", "{", "[]", "{}"} {
		if _, is, err := UpgradeFromEnv(lookup(text)); !is || err == nil {
			t.Errorf("UpgradeFromEnv(%q): %v, %v", text, is, err)
		}
	}
}
