package target

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// answerLimit is what a start may take.
	answerLimit = 30 * time.Second
	// stopLimit is what a graceful stop may take, before the process is killed.
	stopLimit = 10 * time.Second
	// lastLines is how much of a log an error quotes, in bytes.
	lastLines = 2000
)

// process is a program that a target has started, with all that it started.
type process struct {
	name    string
	cmd     *exec.Cmd
	log     string // path
	started time.Time
	ended   chan struct{} // closed when it was waited for
}

// launch starts a program in dir, with its output in a log there. A process group
// of its own keeps Ctrl-C from it, and lets it be ended as a whole.
func launch(dir string, env []string, argv ...string) (*process, error) {
	p := &process{name: filepath.Base(argv[0]), ended: make(chan struct{})}
	log, err := os.CreateTemp(dir, p.name+"-*.log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.log = log.Name()
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.Dir, p.cmd.Env = dir, append(cleanEnviron(), env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.started = time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	go func() { // until it ends, which stop sees to
		_ = p.cmd.Wait() // told by ended; the log says why
		close(p.ended)
	}()
	return p, nil
}

// cleanEnviron is without what would configure the server that is measured.
func cleanEnviron() []string {
	var kept []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "FONDUE_") {
			kept = append(kept, e)
		}
	}
	return kept
}

// await calls ready until it succeeds.
func (p *process) await(ctx context.Context, ready func() error) error {
	deadline := time.Now().Add(answerLimit)
	for {
		err := ready()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Now().After(deadline):
			return p.failed(fmt.Errorf("no answer within %v: %w", answerLimit, err))
		}
		select {
		case <-p.ended:
			return p.failed(errors.New("it ended"))
		case <-time.After(200 * time.Microsecond):
		}
	}
}

// stop ends the process gracefully, and what is left of its group at once.
func (p *process) stop() error {
	pid := p.cmd.Process.Pid
	_ = syscall.Kill(pid, syscall.SIGTERM) // or it has ended
	var err error
	select {
	case <-p.ended:
	case <-time.After(stopLimit):
		err = p.failed(fmt.Errorf("it did not stop within %v", stopLimit))
	}
	// Its group: the kernel may take a moment to end those that are killed.
	for syscall.Kill(-pid, syscall.SIGKILL) == nil {
		time.Sleep(time.Millisecond)
	}
	<-p.ended
	return err
}

// failed adds the end of the log.
func (p *process) failed(err error) error {
	text, _ := os.ReadFile(p.log) // an empty log says nothing
	if len(text) > lastLines {
		text = text[len(text)-lastLines:]
	}
	return fmt.Errorf("%s: %w; its log ends:\n%s", p.name, err, text)
}

// pids are the process and its descendants.
func (p *process) pids() ([]int, error) {
	all := []int{p.cmd.Process.Pid}
	for i := 0; i < len(all); i++ {
		children, err := childrenOf(all[i])
		if err != nil && i == 0 {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		all = append(all, children...)
	}
	return all, nil
}

// childrenOf are those of every thread: each may have started some.
func childrenOf(pid int) (children []int, err error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil || len(threads) == 0 {
		return nil, fmt.Errorf("process %d is gone", pid)
	}
	for _, t := range threads {
		text, err := os.ReadFile(t)
		if err != nil {
			continue // the thread has ended
		}
		for field := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				children = append(children, child)
			}
		}
	}
	return children, nil
}

// freeAddress is one of the loopback that was free just now.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// missing tells which programs are not installed, and what would install them.
func missing(packages string, programs ...string) string {
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			if _, err := os.Stat(p); err != nil {
				return fmt.Sprintf("%s is not here; apt-get install %s", p, packages)
			}
		}
	}
	return ""
}
