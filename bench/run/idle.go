package run

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/fondue-server/fondue/bench/idle"
	"github.com/fondue-server/fondue/bench/load"
	"github.com/fondue-server/fondue/bench/proc"
)

// weighIdle is the memory of a server with n idle connections, each of which has
// had one answer. They are asked again after it was read: none may be gone.
func (r *runner) weighIdle(ctx context.Context, s *server, n int) (proc.Memory, error) {
	method, path, ok := s.Request("increment")
	if !ok {
		return proc.Memory{}, errors.New("it has no increment")
	}
	text := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: bench\r\n\r\n", method, strings.Replace(path, "%s", load.Key(0), 1))
	connections, err := idle.Open(ctx.Done(), "tcp", s.Address(), []byte(text), n)
	if err != nil {
		return proc.Memory{}, err
	}
	defer connections.Close()
	pause(ctx, r.config.Settle)
	if ctx.Err() != nil {
		return proc.Memory{}, ctx.Err()
	}
	weight, err := weigh(s)
	if err != nil {
		return proc.Memory{}, err
	}
	return weight, connections.Ask()
}
