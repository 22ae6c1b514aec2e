package worker

import (
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fondue-server/fondue/internal/command"
	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/fondue-server/fondue/internal/loop"
	"github.com/fondue-server/fondue/internal/shm"
)

// setting is how a server of a test serves.
type setting struct {
	network string
	lane    bool
	limits  loop.Limits // of the lane; none: as ever
	access  *accessLog
	path    string // of the region; none: on the heap
}

// testServer is a server on one listener, over a region on the heap.
type testServer struct {
	*server
	as     setting
	region *shm.Region
	store  *shm.Store
	addr   string
	fd     int // the descriptor that a master would keep
}

// onBoth runs a test with the fast lane and without.
func onBoth(t *testing.T, test func(t *testing.T, lane bool)) {
	for name, lane := range map[string]bool{"fasthttp": false, "lane": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, lane)
		})
	}
}

// overServers runs a test over a server of each network, with the fast lane and
// without.
func overServers(t *testing.T, test func(t *testing.T, s *testServer), networks ...string) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(t *testing.T, lane bool) { test(t, newServerOf(t, network, lane)) })
		})
	}
}

// duplicate returns a descriptor of the same listening socket, which the test
// closes.
func duplicate(t testing.TB, c syscall.Conn) int {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var fd int
	if e := raw.Control(func(of uintptr) { fd, err = unix.FcntlInt(of, unix.F_DUPFD_CLOEXEC, 3) }); e != nil || err != nil {
		t.Fatal(e, err)
	}
	return fd
}

// newStore returns a worker's store in an empty region on the heap.
func newStore(t testing.TB) (*shm.Region, *shm.Store) {
	t.Helper()
	region, err := shm.NewHeap(shm.Geometry{Size: 8 << 20, Slots: 4})
	if err != nil {
		t.Fatal(err)
	}
	return region, attachTo(t, region, region)
}

// openStore returns a worker's store in a region that is there.
func openStore(t testing.TB, path string) (*shm.Region, *shm.Store) {
	t.Helper()
	var maps [2]*shm.Region
	for i := range maps {
		var err error
		if maps[i], err = shm.Open(path); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { maps[i].Close() })
	}
	return maps[1], attachTo(t, maps[0], maps[1])
}

// attachTo returns the store of a worker that has the region mapped, and whose master
// is this process, too.
func attachTo(t testing.TB, master, worker *shm.Region) *shm.Store {
	t.Helper()
	m, _, err := master.AttachMaster(false)
	if err != nil {
		t.Fatal(err)
	}
	id, err := m.Claim(-1)
	if err != nil {
		t.Fatal(err)
	}
	store, err := worker.Attach(id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if report := worker.Check(); !report.OK() {
			t.Errorf("region after the test: %v", report.Violations)
		}
	})
	return store
}

func newTestServer(t testing.TB, network string) *testServer { return newServerOf(t, network, false) }

func newServerOf(t testing.TB, network string, lane bool) *testServer {
	t.Helper()
	return newServerAs(t, setting{network: network, lane: lane})
}

// newServerAs starts a server as it is to be.
func newServerAs(t testing.TB, as setting) *testServer {
	t.Helper()
	addr := "127.0.0.1:0"
	if as.network == "unix" {
		addr = filepath.Join(t.TempDir(), "s")
	}
	var config net.ListenConfig
	config.SetMultipathTCP(false) // which takes no filter, so its door cannot be closed
	nl, err := config.Listen(t.Context(), as.network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nl.Close() })
	s := &testServer{as: as, addr: nl.Addr().String(), fd: duplicate(t, nl.(syscall.Conn))}
	t.Cleanup(func() { unix.Close(s.fd) })
	if as.path != "" {
		s.region, s.store = openStore(t, as.path)
	} else {
		s.region, s.store = newStore(t)
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	s.server = newServer(command.New(s.region, s.store, shm.Policy{}, os.Getpid()), s.store, as.access, log)
	if as.lane {
		if as.limits == (loop.Limits{}) {
			as.limits = laneLimits
		}
		if s.lane, err = newLane(s.server, as.limits); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.inherit(handoff.Listener{FD: duplicate(t, nl.(syscall.Conn)), Network: as.network, Addr: s.addr}); err != nil {
		t.Fatal(err)
	}
	s.start()
	t.Cleanup(func() {
		if !s.draining.Load() {
			s.drain(pace{}, new(lifeline))
		}
	})
	return s
}

// isDeaf says whether the server accepts from none of its doors any more.
func (s *testServer) isDeaf() bool {
	for _, d := range s.doors {
		if d.control(func(uintptr) {}) == nil {
			return false
		}
	}
	return true
}

// meters are what the server has counted.
func (s *testServer) meters() shm.Meters { return s.region.Meters(s.store.ID().Slot) }

// awaitReceived waits until the server has read so many bytes in all.
func (s *testServer) awaitReceived(t testing.TB, bytes int) {
	t.Helper()
	waitFor(t, "reading of what was sent", func() bool { return s.meters().Received >= uint64(bytes) })
}

// awaitNone waits for the end of all connections, whoever serves them.
func (s *testServer) awaitNone(t testing.TB) {
	t.Helper()
	waitFor(t, "end of all connections", func() bool {
		return s.open() == 0 && s.commands.Workers()[0].Connections == 0
	})
}

func waitFor(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s within a minute", what)
		}
	}
}
