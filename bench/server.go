package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const startLimit = 10 * time.Second

// server is a running master and its workers.
type server struct {
	name    string
	command *exec.Cmd
	address string
	log     *os.File
	// started is when exec was asked for; first is when the first 200 was read.
	started, first time.Time
}

func startFondue(c config, region string) (*server, error) {
	return start(c.fondue, c.workers, "serve", "--region", region)
}

func startConstant(c config) (*server, error) { return start(c.constant, c.workers) }

// start runs a server on a free port until it has answered a request.
func start(binary string, workers int, args ...string) (*server, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	log, err := os.CreateTemp("", "fondue-bench-log-")
	if err != nil {
		return nil, err
	}
	// The descriptor is enough: nothing is left behind, however this ends.
	if err := os.Remove(log.Name()); err != nil {
		return nil, err
	}
	args = append(args, "--listen", address, "--workers", strconv.Itoa(workers))
	s := &server{name: binary, command: exec.Command(binary, args...), address: address, log: log}
	s.command.Stderr = log
	s.command.Env = variablesWithoutFondue()
	// A group of its own: Ctrl-C ends the benchmark, which then ends the server.
	s.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s.started = time.Now()
	if err := s.command.Start(); err != nil {
		return nil, err
	}
	for !s.answers() {
		if time.Since(s.started) > startLimit {
			s.stop()
			return nil, fmt.Errorf("%s did not answer within %v; its log:\n%s", binary, startLimit, s.logText())
		}
		time.Sleep(100 * time.Microsecond)
	}
	s.first = time.Now()
	return s, nil
}

func variablesWithoutFondue() []string {
	var kept []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "FONDUE_") {
			kept = append(kept, e)
		}
	}
	return kept
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// answers asks for one 200 on a new connection. It counts nothing.
func (s *server) answers() bool {
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		return false
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(startLimit)); err != nil {
		return false
	}
	if _, err := conn.Write([]byte("GET /healthz HTTP/1.1\r\nHost: bench\r\n\r\n")); err != nil {
		return false
	}
	return readReply(conn, make([]byte, 4096)) == nil
}

func (s *server) getJSON(path string, v any) error {
	response, err := http.Get("http://" + s.address + path)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return json.NewDecoder(response.Body).Decode(v)
}

// stop ends the server gracefully and reports, on stderr, one that does not.
func (s *server) stop() {
	_ = s.command.Process.Signal(syscall.SIGTERM) // its end is awaited below
	timer := time.AfterFunc(startLimit, func() { _ = s.command.Process.Kill() })
	defer timer.Stop()
	if err := s.command.Wait(); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %s: %v; its log:\n%s", s.name, err, s.logText())
	}
	s.log.Close()
}

func (s *server) logText() string {
	text := make([]byte, 1<<16)
	n, _ := s.log.ReadAt(text, 0) // the end of the file is no error here
	return string(text[:n])
}

// cpu is the user and system time of the master and its workers so far. The
// clock of a process counts what /proc/PID/stat shows, in nanoseconds instead
// of ticks of 10 ms.
func (s *server) cpu() (time.Duration, error) {
	workers, err := s.workers()
	if err != nil {
		return 0, err
	}
	if len(workers) == 0 {
		return 0, errors.New("the server has no workers")
	}
	var sum time.Duration
	for _, pid := range append(workers, s.command.Process.Pid) {
		var t unix.Timespec
		if err := unix.ClockGettime(processClock(pid), &t); err != nil {
			return 0, fmt.Errorf("clock of process %d: %w", pid, err)
		}
		sum += time.Duration(t.Nano())
	}
	return sum, nil
}

// processClock is clock_getcpuclockid(3).
func processClock(pid int) int32 { return int32(^pid<<3 | 2) }

// workers are the pids of the server's children.
func (s *server) workers() ([]int, error) {
	pid := strconv.Itoa(s.command.Process.Pid)
	threads, err := os.ReadDir("/proc/" + pid + "/task")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, t := range threads {
		text, err := os.ReadFile("/proc/" + pid + "/task/" + t.Name() + "/children")
		if err != nil {
			return nil, err
		}
		for field := range strings.FieldsSeq(string(text)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				return nil, err
			}
			pids = append(pids, child)
		}
	}
	return pids, nil
}
