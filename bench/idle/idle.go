// Package idle keeps connections open that have had an answer each and then say
// nothing more.
package idle

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// askLimit is how long one request may take.
const askLimit = 30 * time.Second

// ErrHungUp is a server that does not keep connections which do nothing.
var ErrHungUp = errors.New("it closed connections that were idle")

// Connections are one server's. Close ends them.
type Connections struct {
	request []byte
	all     []one
}

type one struct {
	conn   net.Conn
	reader *bufio.Reader
}

// Open opens n connections one after the other, and has each of them ask once. It ends
// early, without an error, when stop is closed.
func Open(stop <-chan struct{}, network, address string, request []byte, n int) (*Connections, error) {
	c := &Connections{request: request}
	for number := range n {
		select {
		case <-stop:
			return c, nil
		default:
		}
		conn, err := net.Dial(network, address)
		if err == nil {
			c.all = append(c.all, one{conn, bufio.NewReaderSize(conn, 512)})
			err = c.all[len(c.all)-1].ask(request)
		}
		if err != nil {
			c.Close()
			return nil, fmt.Errorf("idle connection %d of %d: %w", number+1, n, err)
		}
	}
	return c, nil
}

// Len is how many there are.
func (c *Connections) Len() int { return len(c.all) }

// Close ends all of them.
func (c *Connections) Close() {
	for _, o := range c.all {
		o.conn.Close()
	}
}

// Ask has each of them ask again.
func (c *Connections) Ask() error {
	for _, o := range c.all {
		if err := o.ask(c.request); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
				err = ErrHungUp
			}
			return err
		}
	}
	return nil
}

// Closed is how many of them the server has ended. It asks the kernel, and not the
// server.
func (c *Connections) Closed() (int, error) {
	fds := make([]unix.PollFd, 0, len(c.all))
	for _, o := range c.all {
		raw, err := o.conn.(syscall.Conn).SyscallConn()
		if err != nil {
			return 0, err
		}
		// The connections stay open until this returns.
		if err := raw.Control(func(fd uintptr) { fds = append(fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLRDHUP}) }); err != nil {
			return 0, err
		}
	}
	n, err := unix.Poll(fds, 0)
	for err == unix.EINTR {
		n, err = unix.Poll(fds, 0)
	}
	if err != nil {
		return 0, fmt.Errorf("poll: %w", err)
	}
	return n, nil
}

func (o one) ask(request []byte) error {
	_ = o.conn.SetDeadline(time.Now().Add(askLimit)) // a socket takes deadlines
	if _, err := o.conn.Write(request); err != nil {
		return err
	}
	response, err := http.ReadResponse(o.reader, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		return errors.New(response.Status)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}
