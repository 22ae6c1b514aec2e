package target

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// answerLimit is what a start may take.
	answerLimit = 30 * time.Second
	// lastLines is how much of a log an error quotes, in bytes.
	lastLines = 2000
)

// process is a program that a target has started, with all that it started.
type process struct {
	name    string
	cmd     *exec.Cmd
	log     string // path
	started time.Time
	ending  syscall.Signal // asks it to end gracefully
	// ended is closed when it has ended. It is not yet reaped then, so that nobody
	// else can have its pid, nor its process group's.
	ended chan struct{}
}

// launch starts a program in dir, with its output in a log there and its temporary
// files. A process group of its own keeps Ctrl-C from it.
func launch(dir string, env []string, argv ...string) (*process, error) {
	raiseFileLimit()
	p := &process{name: filepath.Base(argv[0]), ending: syscall.SIGTERM, ended: make(chan struct{})}
	log, err := os.CreateTemp(dir, p.name+"-*.log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.log = log.Name()
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.Dir, p.cmd.Env = dir, append(cleanEnviron(), append([]string{"TMPDIR=" + dir}, env...)...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.started = time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	go func() { // until it ends, which stop sees to
		for unix.Waitid(unix.P_PID, p.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
		}
		close(p.ended)
	}()
	return p, nil
}

// mostFiles is enough for a server of ten thousand connections.
const mostFiles = 1 << 16

// raiseFileLimit lets servers that do not raise their own limit have as many
// connections as those that do. A child inherits the limit only when it was set:
// the runtime takes back what it raises by itself.
var raiseFileLimit = sync.OnceFunc(func() {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil {
		limit.Cur = min(limit.Max, mostFiles)
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit) // a load that needs more will say so
	}
})

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
			return p.failed(errEnded)
		case <-time.After(200 * time.Microsecond):
		}
	}
}

var errEnded = errors.New("it ended")

// failed adds the end of the log.
func (p *process) failed(err error) error {
	text, _ := os.ReadFile(p.log) // an empty log says nothing
	if len(text) > lastLines {
		text = text[len(text)-lastLines:]
	}
	return fmt.Errorf("%s: %w; its log ends:\n%s", p.name, err, text)
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
