package e2e_test

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/fondue-server/fondue/internal/e2e"
)

// activator opens a listener and keeps it, as a service manager does.
func activator(t *testing.T, network, address string) (socket *os.File, addr string) {
	t.Helper()
	nl, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nl.Close() })
	socket, err = nl.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	if network == "unix" {
		return socket, "unix:" + nl.Addr().String()
	}
	return socket, nl.Addr().String()
}

// TestSocketActivation: the sockets outlive the server, however it ends. No
// connect fails between an end and the next start, and after a graceful one no
// request.
func TestSocketActivation(t *testing.T) {
	t.Parallel()
	for _, kind := range []struct{ name, network, address string }{
		{"tcp", "tcp4", "127.0.0.1:0"},
		{"unix", "unix", t.TempDir() + "/s"},
	} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			socket, addr := activator(t, kind.network, kind.address)
			o := e2e.Options{Workers: 2, Sockets: []*os.File{socket}, Region: t.TempDir() + "/region"}
			ends := map[string]func(*e2e.Server){
				"stopped": func(s *e2e.Server) { s.Stop() },
				"quit":    func(s *e2e.Server) { s.Signal(syscall.SIGQUIT); s.WantExit(0) },
				"killed":  func(s *e2e.Server) { s.KillMaster() },
			}
			s := e2e.Start(t, o)
			if !slices.Equal(s.Addrs, []string{addr}) {
				t.Fatalf("it listens on %v, %s was passed", s.Addrs, addr)
			}
			for _, end := range []string{"stopped", "stopped", "killed", "quit", "killed", "stopped"} {
				load := e2e.StartLoad(t, addr, e2e.LoadOptions{KeepAlive: 8, NewConn: 4, Path: "/increment?key=" + end})
				pause(load)
				ends[end](s)
				if c, err := net.Dial(kind.network, strings.TrimPrefix(addr, "unix:")); err != nil {
					t.Fatalf("%s: the door is closed: %v", end, err)
				} else {
					c.Close()
				}
				s = e2e.Start(t, o)
				pause(load)
				load.Stop()
				if n := load.Refused.Load(); n > 0 || load.Odd.Load() > 0 {
					t.Errorf("%s: %d connects failed, %d odd answers: %v", end, n, load.Odd.Load(), load.FirstError())
				}
				if n := load.Broken.Load(); n > 0 && end != "quit" {
					t.Errorf("%s: %d requests broke: %v", end, n, load.FirstError())
				}
				t.Logf("%s: %d requests, %d broken", end, load.Acked.Load(), load.Broken.Load())
			}
			s.Signal(syscall.SIGHUP)
			e2e.Eventually(t, requestsLimit, "the reload to end", func() bool { return strings.Contains(s.Log(), `"msg":"reloaded"`) })
			s.Get("/report").WantStatus(200)
			if s.Stop(); kind.network == "unix" {
				if _, err := os.Lstat(kind.address); err != nil {
					t.Errorf("the socket's file was the service manager's: %v", err)
				}
			}
		})
	}
}

// TestActivationBesideListen: what was passed is used for its address, in shared
// mode, and the others are opened.
func TestActivationBesideListen(t *testing.T) {
	t.Parallel()
	socket, addr := activator(t, "tcp4", "127.0.0.1:0")
	path := "unix:" + t.TempDir() + "/s"
	s := e2e.Start(t, e2e.Options{Workers: 3, Sockets: []*os.File{socket}, Listen: []string{path, addr}})
	if !slices.Equal(s.Addrs, []string{addr, path}) {
		t.Errorf("addresses %v", s.Addrs)
	}
	e2e.Do(t, path, "GET", "/increment", "").WantStatus(200)
	s.Get("/increment").WantBody(`{"key":"count","count":2}`)
	for _, pid := range s.Children() {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil || strings.Contains(string(text), "LISTEN_") {
			t.Errorf("environment of worker %d: %q, %v", pid, text, err)
		}
	}
	s.Stop()
}

// TestActivationRefuses: nothing is started over sockets that nobody asked for,
// or that cannot be served.
func TestActivationRefuses(t *testing.T) {
	t.Parallel()
	socket, addr := activator(t, "tcp4", "127.0.0.1:0")
	datagrams, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer datagrams.Close()
	udp, err := datagrams.(*net.UDPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	for _, c := range []struct {
		socket *os.File
		listen []string
		want   []string
	}{
		{socket, []string{"127.0.0.1:1", "unix:/x"}, []string{"descriptor 3", addr, "--listen 127.0.0.1:1 --listen unix:/x"}},
		{udp, nil, []string{"descriptor 3", "not a listening stream socket", "ListenStream="}},
	} {
		s := e2e.Launch(t, e2e.Options{Sockets: []*os.File{c.socket}, Listen: c.listen, Damaged: true})
		s.WantExit(2)
		for _, want := range append(c.want, "fondue: socket activation: ") {
			if !strings.Contains(s.Log(), want) {
				t.Errorf("%q does not say %q", s.Log(), want)
			}
		}
	}
}
