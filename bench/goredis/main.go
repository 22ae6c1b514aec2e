// Command goredis is what many would build instead: a Go server over HTTP before
// Redis, which has the counters. The benchmark measures it beside fondue.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
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
	server := &fasthttp.Server{Handler: (&api{client}).handle, NoDefaultDate: false}
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

type api struct{ redis *redis.Client }

func (a *api) handle(ctx *fasthttp.RequestCtx) {
	key := string(ctx.QueryArgs().Peek("key"))
	if key == "" {
		key = "count"
	}
	var n int64
	var err error
	switch string(ctx.Path()) {
	case "/increment":
		n, err = a.redis.Incr(context.Background(), key).Result()
	case "/report":
		if n, err = a.redis.Get(context.Background(), key).Int64(); errors.Is(err, redis.Nil) {
			err = nil
		}
	default:
		ctx.Error("not found", fasthttp.StatusNotFound)
		return
	}
	if err != nil {
		ctx.Error(err.Error(), fasthttp.StatusBadGateway)
		return
	}
	ctx.SetContentType("application/json")
	fmt.Fprintf(ctx, `{"key":%q,"count":%d}`, key, n)
}
