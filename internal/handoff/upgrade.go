package handoff

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/fondue-server/fondue/internal/listen"
	"github.com/fondue-server/fondue/internal/shm"
)

// UpgradeEnv is the environment variable that makes a process the heir of a
// running master.
const UpgradeEnv = "FONDUE_UPGRADE"

// Upgrade is what a master hands to its heir. The descriptors are numbers in the
// heir; each is inherited without close-on-exec.
//
// On the channel, a stream socket, the heir says once that it is ready, or why
// it never will be; the master answers that it has handed over, in the same
// form. Whoever hears of the other's end instead looks at the master's state in
// the region: draining is the one store by which it hands over. Before that the
// heir may ask the master to have its workers leave; the answer has the same form.
type Upgrade struct {
	PID        int    `json:"pid"`  // of the master
	Slot       int    `json:"slot"` // of the master, in the region
	Generation uint32 `json:"generation"`
	Instance   uint64 `json:"instance"` // of the region

	ChannelFD int             `json:"channel_fd"`
	Listeners []listen.Handed `json:"listeners"`
}

// ID is the master's identity in the region.
func (u Upgrade) ID() shm.ID { return shm.ID{Slot: u.Slot, Generation: u.Generation} }

// HasKept reports whether some listener is kept by somebody outside.
func (u Upgrade) HasKept() bool {
	return slices.ContainsFunc(u.Listeners, func(h listen.Handed) bool { return h.Kept })
}

// Encode returns the value of UpgradeEnv.
func (u Upgrade) Encode() (string, error) {
	if err := u.check(); err != nil {
		return "", err
	}
	b, err := json.Marshal(u)
	return string(b), err
}

// UpgradeFromEnv returns what a master handed to this process. The boolean is
// false when the process is nobody's heir.
func UpgradeFromEnv(lookup func(string) (string, bool)) (Upgrade, bool, error) {
	text, found := lookup(UpgradeEnv)
	if !found {
		return Upgrade{}, false, nil
	}
	var u Upgrade
	if err := json.Unmarshal([]byte(text), &u); err != nil {
		return Upgrade{}, true, fmt.Errorf("%s cannot be read: %w", UpgradeEnv, err)
	}
	return u, true, u.check()
}

func (u Upgrade) check() error {
	if u.PID < 1 {
		return fmt.Errorf("%s names no master", UpgradeEnv)
	}
	d := descriptors{variable: UpgradeEnv}
	err := d.add("channel", u.ChannelFD)
	for _, l := range u.Listeners {
		for _, fd := range slices.Concat(l.FDs, l.Spare) {
			err = errors.Join(err, d.add("listener "+l.Spec, fd))
		}
	}
	return err
}
