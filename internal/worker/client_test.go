package worker

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// client is one keep-alive connection that honours Connection: close.
type client struct {
	net.Conn
	in *bufio.Reader
}

// dial connects within patience: short where the door may be closed, which a
// client learns by waiting.
func dial(network, addr string, patience time.Duration) (*client, error) {
	nc, err := net.DialTimeout(network, addr, patience)
	if err != nil {
		return nil, err
	}
	_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
	return &client{nc, bufio.NewReader(nc)}, nil
}

func mustDial(t testing.TB, s *testServer) *client {
	t.Helper()
	c, err := dial(s.as.network, s.addr, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

const increment = "GET /increment HTTP/1.1\r\nHost: test\r\n\r\n"

// receive reads one reply.
func (c *client) receive() (status int, body string, closing bool, err error) {
	response, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return 0, "", false, err
	}
	b, err := io.ReadAll(response.Body)
	return response.StatusCode, string(b), response.Close, err
}

func (c *client) send(text string) (closing bool, err error) {
	if _, err := io.WriteString(c, text); err != nil {
		return false, err
	}
	status, body, closing, err := c.receive()
	if err == nil && status != 200 {
		err = fmt.Errorf("status %d: %s", status, body)
	}
	return closing, err
}
