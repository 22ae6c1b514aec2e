package target

import (
	"context"
	"path/filepath"

	"github.com/fondue-server/fondue/bench/result"
)

// GoRedis is a Go front end (bench/goredis) before Redis. One process uses every
// CPU.
type GoRedis struct{ Binary string }

// Describe tells what it is.
func (g GoRedis) Describe() result.Target {
	return result.Target{Name: "go-redis", Title: "Go (fasthttp) before Redis", Workers: 1, Exact: true}
}

// Missing looks for the binary and for Redis.
func (g GoRedis) Missing() string {
	if missing("", g.Binary) != "" {
		return g.Binary + " is not there; make bench builds it"
	}
	return missing("redis-server", "redis-server")
}

// Versions are Redis's and those of the client and the server that are built in.
func (g GoRedis) Versions() map[string]string {
	return map[string]string{
		"redis":    versionOf("redis-server", "--version"),
		"go-redis": versionOfModule(g.Binary, "github.com/redis/go-redis/v9"),
		"fasthttp": versionOfModule(g.Binary, "github.com/valyala/fasthttp"),
	}
}

// Start runs Redis, then the front end.
func (g GoRedis) Start(ctx context.Context, dir string) (Running, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	binary, err := filepath.Abs(g.Binary)
	if err != nil {
		return nil, err
	}
	r := &running{address: address, routes: keyed(counting())}
	store, err := openRedis(ctx, dir)
	if store.process != nil {
		r.needs = append(r.needs, store.process)
	}
	if err == nil {
		r.server, err = launch(dir, nil, binary, "-listen", address, "-redis", "127.0.0.1:"+store.port)
	}
	return r.begin(ctx, err, "/report")
}
