// Command constant is the yardstick of the benchmarks: a pre-fork fasthttp
// server that answers a constant body, with the settings, the processes and the
// listeners of fondue and nothing behind them. What fondue costs beyond it is
// the price of the shared region.
package main

import (
	"context"
	"flag"
	"log"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"
	"golang.org/x/sys/unix"
)

// The worker inherits its listener as the first descriptor after stderr.
const (
	listenerFD = 3
	workerEnv  = "BENCH_CONSTANT_WORKER"
)

// As long as the reply to an increment of a six-digit counter.
var body = []byte(`{"key":"bench","count":123456}`)

func main() {
	log.SetFlags(0)
	log.SetPrefix("constant: ")
	listen := flag.String("listen", "127.0.0.1:8001", "address")
	workers := flag.Int("workers", runtime.GOMAXPROCS(0), "worker processes")
	flag.Parse()
	if procs := os.Getenv(workerEnv); procs != "" {
		serve(procs)
		return
	}
	if err := supervise(*listen, *workers); err != nil {
		log.Fatal(err)
	}
}

// supervise starts the workers, each over a listener of its own that the master
// keeps, and ends them when it is told to end.
func supervise(address string, workers int) error {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	procs := max(1, runtime.GOMAXPROCS(0)/workers)
	var children []*exec.Cmd
	for range workers {
		file, err := reuseport(address)
		if err != nil {
			return err
		}
		child := exec.Command("/proc/self/exe")
		child.Env = append(os.Environ(), workerEnv+"="+strconv.Itoa(procs))
		child.Stderr = os.Stderr
		child.ExtraFiles = []*os.File{file}
		child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
		if err := child.Start(); err != nil {
			return err
		}
		children = append(children, child)
	}
	<-stop
	for _, child := range children {
		if err := child.Process.Kill(); err != nil {
			return err
		}
		_ = child.Wait() // killed above: its state says nothing
	}
	return nil
}

func reuseport(address string) (*os.File, error) {
	var failed error
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		err := c.Control(func(fd uintptr) {
			failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		})
		if err != nil {
			return err
		}
		return failed
	}}
	config.SetMultipathTCP(false)
	listener, err := config.Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, err
	}
	defer listener.Close() // the duplicate below lives on
	return listener.(*net.TCPListener).File()
}

func serve(procs string) {
	n, err := strconv.Atoi(procs)
	if err != nil {
		log.Fatal(err)
	}
	runtime.GOMAXPROCS(n)
	listener, err := net.FileListener(os.NewFile(listenerFD, "listener"))
	if err != nil {
		log.Fatal(err)
	}
	// The settings of internal/worker: keep them equal, or the ratio lies.
	server := &fasthttp.Server{
		Handler: func(ctx *fasthttp.RequestCtx) {
			ctx.SetContentType("application/json")
			ctx.SetBody(body)
		},
		Name:                         "fondue",
		ReadTimeout:                  30 * time.Second,
		WriteTimeout:                 30 * time.Second,
		IdleTimeout:                  75 * time.Second,
		ReadBufferSize:               8 << 10,
		MaxRequestBodySize:           1<<20 + 64<<10, // a worker's by default
		NoDefaultContentType:         true,
		DisablePreParseMultipartForm: true,
		SecureErrorLogMessage:        true,
	}
	log.Fatal(server.Serve(listener))
}
