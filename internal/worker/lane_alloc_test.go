package worker

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestLaneAllocatesNothing: requests over a connection cost no memory, from the first
// byte to the last.
func TestLaneAllocatesNothing(t *testing.T) {
	s := newServerOf(t, "unix", true)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: s.addr}); err != nil {
		t.Fatal(err)
	}
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 20})
	requests := []byte("POST /v1/keys/hits/increment HTTP/1.1\r\nHost: test\r\nAccept: */*\r\n\r\n" +
		"GET /increment?key=count&by=3 HTTP/1.1\r\nHost: test\r\n\r\n" +
		"GET /v1/keys/hits HTTP/1.1\r\nHost: test\r\n\r\n")
	reply := make([]byte, 4096)
	again := func(call func() (int, error)) (n int) { // with a time-out the kernel does not do it
		err := error(unix.EINTR)
		for err == unix.EINTR {
			n, err = call()
		}
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	write := func() (int, error) { return unix.Write(fd, requests) }
	read := func() (int, error) { return unix.Read(fd, reply) }
	ask := func() {
		again(write)
		if n := again(read); n < 300 {
			t.Fatalf("%d bytes", n)
		}
	}
	for range 100 {
		ask()
	}
	const rounds = 2000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range rounds {
		ask()
	}
	runtime.ReadMemStats(&after)
	// Other goroutines of the process have their beats meanwhile.
	if n := after.Mallocs - before.Mallocs; n > rounds/20 {
		t.Errorf("%d allocations for %d requests", n, 3*rounds)
	}
	if s.conns.count() != 0 {
		t.Error("the connection left the lane")
	}
}
