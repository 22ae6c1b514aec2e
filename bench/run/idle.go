package run

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/fondue-server/fondue/bench/load"
)

// idleLimit is how long one request of an idle connection may take.
const idleLimit = 30 * time.Second

// errHungUp is a server that does not keep connections which do nothing.
var errHungUp = errors.New("it closed connections that were idle")

// idler is a connection that has had an answer and says nothing more.
type idler struct {
	conn   net.Conn
	reader *bufio.Reader
}

// weighIdle is the memory of a server with n idle connections, each of which has
// had one answer. They are asked again after it was read: none may be gone.
func (r *runner) weighIdle(ctx context.Context, s *server, n int) (bytes int64, err error) {
	method, path, ok := s.Request("increment")
	if !ok {
		return 0, errors.New("it has no increment")
	}
	text := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: bench\r\n\r\n", method, strings.Replace(path, "%s", load.Key(0), 1))
	all := make([]idler, 0, n)
	defer func() {
		for _, i := range all {
			i.conn.Close()
		}
	}()
	for len(all) < n && ctx.Err() == nil {
		conn, err := net.Dial("tcp", s.Address())
		if err != nil {
			return 0, err
		}
		all = append(all, idler{conn, bufio.NewReaderSize(conn, 512)})
		if err := all[len(all)-1].ask(text); err != nil {
			return 0, err
		}
	}
	pause(ctx, r.config.Settle)
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if bytes, err = weigh(s); err != nil {
		return 0, err
	}
	for _, i := range all {
		if err := i.ask(text); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
				err = errHungUp
			}
			return 0, err
		}
	}
	return bytes, nil
}

func (i idler) ask(text string) error {
	_ = i.conn.SetDeadline(time.Now().Add(idleLimit)) // a TCP connection takes deadlines
	if _, err := io.WriteString(i.conn, text); err != nil {
		return err
	}
	response, err := http.ReadResponse(i.reader, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}
