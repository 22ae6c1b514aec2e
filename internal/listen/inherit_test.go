package listen

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// handed is the listener as another process would get it: every descriptor a
// duplicate.
func handed(t *testing.T, l *Listener) Handed {
	t.Helper()
	return l.Hand(func(fd int) int {
		dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			t.Fatal(err)
		}
		return dup
	})
}

func takeOver(t *testing.T, h Handed) *Listener {
	t.Helper()
	l, err := Inherit(h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// TestInherit: whoever inherits a listener serves the same sockets, and harms
// nobody when it ends while they are lent.
func TestInherit(t *testing.T) {
	t.Parallel()
	for _, address := range append(loopbacks(t), "unix:") {
		for _, mode := range []Mode{PerSlot, Shared} {
			t.Run(address+" "+string(mode), func(t *testing.T) {
				t.Parallel()
				address := address
				if address == "unix:" {
					address += t.TempDir() + "/s"
				}
				lender := open(t, address, 2, mode)
				heir := takeOver(t, handed(t, lender))
				if heir.Addr() != lender.Addr() || heir.Spec() != lender.Spec() || heir.Sockets() != lender.Sockets() || heir.IsShared() != lender.IsShared() {
					t.Fatalf("inherited %+v of %+v", heir, lender)
				}
				if err := heir.Resize(3); err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(heir.CloseDoor(), heir.Close()); err != nil {
					t.Fatal(err)
				}
				dial(t, lender) // the door is open still, and the path in place
				heir = takeOver(t, handed(t, lender))
				lender.Lend()
				heir.Own()
				if err := lender.Close(); err != nil {
					t.Fatal(err)
				}
				dial(t, heir)
				if err := heir.Close(); err != nil {
					t.Fatal(err)
				}
				if _, err := os.Lstat(heir.Addr()); heir.Network() == Unix && !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("the socket file: %v", err)
				}
			})
		}
	}
}

func TestInheritRefuses(t *testing.T) {
	t.Parallel()
	l := open(t, "127.0.0.1:0", 1, Shared)
	c := dial(t, l)
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		spoil func(*Handed)
		want  string
	}{
		"a spec":       {func(h *Handed) { h.Spec = "nowhere" }, "nowhere"},
		"no socket":    {func(h *Handed) { h.FDs = nil }, "0 sockets"},
		"too many":     {func(h *Handed) { h.FDs = append(h.FDs, h.FDs[0]) }, "2 sockets"},
		"another kind": {func(h *Handed) { h.Spec = "unix:/s" }, "it is bound to 127.0.0.1:"},
		"closed":       {func(h *Handed) { h.FDs = []int{1 << 20} }, ErrNotListening.Error()},
		"a connection": {func(h *Handed) { _ = raw.Control(func(fd uintptr) { h.FDs = []int{int(fd)} }) }, ErrNotListening.Error()},
	} {
		h := handed(t, l)
		dup := h.FDs[0]
		c.spoil(&h)
		if _, err := Inherit(h); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		unix.Close(dup)
	}
}

// TestKept: what somebody outside keeps is nobody's to close, however many
// masters it has been handed through.
func TestKept(t *testing.T) {
	t.Parallel()
	keeper := open(t, "unix:"+t.TempDir()+"/s", 1, Shared)
	h := handed(t, keeper)
	h.Kept = true
	first := takeOver(t, h)
	second := takeOver(t, handed(t, first))
	first.Lend()
	second.Own()
	for _, l := range []*Listener{first, second} {
		if err := errors.Join(l.CloseDoor(), l.Close()); err != nil || !l.Kept() {
			t.Fatal(l.Kept(), err)
		}
	}
	dial(t, keeper)
}
