// Command goredis is what many would build instead: a Go server over HTTP before
// Redis, which has the counters. The benchmark measures it beside fondue.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"
	"github.com/valyala/fasthttp"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("goredis: ")
	listen := flag.String("listen", "127.0.0.1:8002", "address")
	store := flag.String("redis", "127.0.0.1:6379", "address of Redis")
	flag.Parse()
	client := redis.NewClient(&redis.Options{Addr: *store})
	server := &fasthttp.Server{Handler: (&api{client}).handle}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	go func() { // until the process is told to end
		<-stop
		if err := server.Shutdown(); err != nil {
			log.Print(err)
		}
	}()
	if err := server.ListenAndServe(*listen); err != nil {
		log.Fatal(err)
	}
}

// api answers as fondue does, where it is asked for the same.
type api struct{ redis *redis.Client }

const values = "/v1/keys/"

func (a *api) handle(ctx *fasthttp.RequestCtx) {
	switch path := string(ctx.Path()); {
	case path == "/increment" || path == "/report":
		a.count(ctx, path == "/increment")
	case strings.HasPrefix(path, values) && ctx.IsPut():
		a.put(ctx, path[len(values):])
	case strings.HasPrefix(path, values):
		a.get(ctx, path[len(values):])
	default:
		ctx.Error("not found", fasthttp.StatusNotFound)
	}
}

func (a *api) count(ctx *fasthttp.RequestCtx, increment bool) {
	key := string(ctx.QueryArgs().Peek("key"))
	if key == "" {
		key = "count"
	}
	var n int64
	var err error
	if increment {
		n, err = a.redis.Incr(context.Background(), key).Result()
	} else if n, err = a.redis.Get(context.Background(), key).Int64(); errors.Is(err, redis.Nil) {
		err = nil
	}
	if err != nil {
		ctx.Error(err.Error(), fasthttp.StatusBadGateway)
		return
	}
	body, err := json.Marshal(counter{key, n})
	if err != nil {
		ctx.Error(err.Error(), fasthttp.StatusInternalServerError)
		return
	}
	ctx.SetContentType("application/json")
	ctx.SetBody(body)
}

type counter struct {
	Key   string `json:"key"`
	Count int64  `json:"count"`
}

// put keeps a value as it comes.
func (a *api) put(ctx *fasthttp.RequestCtx, key string) {
	if err := a.redis.Set(context.Background(), key, ctx.PostBody(), 0).Err(); err != nil {
		ctx.Error(err.Error(), fasthttp.StatusBadGateway)
		return
	}
	ctx.SetContentType("application/json")
	ctx.SetBody(ctx.PostBody())
}

func (a *api) get(ctx *fasthttp.RequestCtx, key string) {
	value, err := a.redis.Get(context.Background(), key).Bytes()
	switch {
	case errors.Is(err, redis.Nil):
		ctx.Error("no such key", fasthttp.StatusNotFound)
	case err != nil:
		ctx.Error(err.Error(), fasthttp.StatusBadGateway)
	default:
		ctx.SetContentType("application/json")
		ctx.SetBody(value)
	}
}
