package run

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/fondue-server/fondue/bench/load"
	"github.com/fondue-server/fondue/bench/result"
	"github.com/fondue-server/fondue/bench/target"
)

// The test binary is also the generator, and the server of the fake target.
const roleEnv = "RUN_TEST_ROLE"

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(roleEnv) {
	case "":
		os.Exit(m.Run())
	case "generator":
		err = load.Run(os.Stdin, os.Stdout)
	case "server":
		err = serve(os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// quick keeps the race detector from waiting a second at the end of every child.
const quick = "GORACE=atexit_sleep_ms=0"

// generator is the command of one. env(1) sets the role: a runner has no need to
// hand variables on.
var generator = []string{"/usr/bin/env", roleEnv + "=generator", quick, os.Args[0]}

// serve counts in memory until its stdin ends. It loses every n-th increment, or
// none for 0, and acknowledges it all the same. Below 0 it loses none, and keeps no
// connection.
func serve(text string) error {
	every, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var mutex sync.Mutex
	counts := map[string]int{}
	served := 0
	server := &fasthttp.Server{DisableKeepalive: every < 0, Handler: func(ctx *fasthttp.RequestCtx) {
		mutex.Lock()
		defer mutex.Unlock()
		key := string(ctx.QueryArgs().Peek("key"))
		if string(ctx.Path()) == "/increment" {
			if served++; every <= 0 || served%every != 0 {
				counts[key]++
			}
		}
		fmt.Fprintf(ctx, `{"count":%d}`, counts[key])
	}}
	fmt.Println(listener.Addr())
	go func() {
		_, _ = bufio.NewReader(os.Stdin).ReadByte() // its end is what matters
		listener.Close()
	}()
	return server.Serve(listener)
}

// fake is a target whose server is this test binary.
type fake struct {
	name      string
	inexact   bool
	loses     int    // every so many increments; below 0: none, but every connection
	missing   string // what it lacks
	counts    bool   // false: Count is not supported
	failStart bool
	mutex     sync.Mutex
	running   []*fakeServer
}

func newFake(name string) *fake { return &fake{name: name, counts: true} }

func (f *fake) Describe() result.Target {
	return result.Target{Name: f.name, Title: "fake " + f.name, Workers: 1, Exact: !f.inexact}
}
func (f *fake) Missing() string             { return f.missing }
func (f *fake) Versions() map[string]string { return map[string]string{f.name: "1"} }

func (f *fake) Start(ctx context.Context, dir string) (target.Running, error) {
	if f.failStart {
		return nil, errors.New("fake trouble")
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		return nil, err
	}
	began := time.Now()
	command := exec.CommandContext(ctx, "/proc/self/exe", strconv.Itoa(f.loses))
	command.Env = append(os.Environ(), roleEnv+"=server", quick)
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	s := &fakeServer{
		fake: f, command: command, address: strings.TrimSpace(address), took: time.Since(began),
		stop: func() error { return errors.Join(in.Close(), command.Wait()) },
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.running = append(f.running, s)
	return s, err
}

type fakeServer struct {
	fake    *fake
	command *exec.Cmd
	address string
	took    time.Duration
	stop    func() error
}

func (s *fakeServer) Address() string      { return s.address }
func (s *fakeServer) Unix() string         { return "" }
func (s *fakeServer) Command() []string    { return s.command.Args }
func (s *fakeServer) Took() time.Duration  { return s.took }
func (s *fakeServer) PIDs() ([]int, error) { return []int{s.command.Process.Pid}, nil }
func (s *fakeServer) Stop() error          { return s.stop() }
func (s *fakeServer) ended() bool          { return s.command.ProcessState != nil }
func (s *fakeServer) Request(workload string) (method, path string, ok bool) {
	return "GET", "/" + workload + "?key=%s", workload == "increment" || workload == "report"
}

func (s *fakeServer) Count(key string) (int64, error) {
	if !s.fake.counts {
		return 0, fmt.Errorf("fake: %w", errors.ErrUnsupported)
	}
	response, err := http.Get("http://" + s.address + "/report?key=" + key)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	var reply struct {
		Count int64 `json:"count"`
	}
	err = json.NewDecoder(response.Body).Decode(&reply)
	return reply.Count, err
}
