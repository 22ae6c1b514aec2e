package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// commandLimit ends a command that should have ended by itself.
const commandLimit = 60 * time.Second

var built struct {
	once sync.Once
	dir  string
	path string
	err  error
}

// Main runs the tests of a package, as the parent of whatever they leave without
// one, and removes the binary that they built. The
// test binary exits with the code of m once TestMain returns.
func Main(m *testing.M) {
	if err := adoptOrphans(); err != nil {
		panic(err)
	}
	m.Run()
	if built.dir != "" {
		os.RemoveAll(built.dir) // a temporary directory; the tests are over
	}
}

// Binary returns the path of the server, built on first use. FONDUE_E2E_BINARY
// names one to use instead.
func Binary(tb testing.TB) string {
	tb.Helper()
	built.once.Do(func() { built.path, built.err = build() })
	if built.err != nil {
		tb.Fatalf("build the server: %v", built.err)
	}
	return built.path
}

func build() (string, error) {
	if path := os.Getenv("FONDUE_E2E_BINARY"); path != "" {
		return filepath.Abs(path)
	}
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	if built.dir, err = os.MkdirTemp("", "fondue-e2e-"); err != nil {
		return "", err
	}
	if err := os.Chmod(built.dir, 0o755); err != nil { // for the users of RunAs
		return "", err
	}
	path := filepath.Join(built.dir, "fondue")
	cmd := exec.Command("go", "build", "-o", path, "./cmd/server")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
}

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			return dir, nil
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		err = errors.New("no go.mod above the test's directory")
	}
	return "", err
}

// Result is what a command that ended left behind.
type Result struct {
	Code           int
	Stdout, Stderr string
}

// Run runs one command of the binary to its end. Variables that configure the
// server do not reach it from the test's own environment.
func Run(tb testing.TB, env []string, args ...string) Result {
	tb.Helper()
	return Feed(tb, "", env, args...)
}

// Feed is Run with something on standard input.
func Feed(tb testing.TB, stdin string, env []string, args ...string) Result {
	tb.Helper()
	return run(tb, stdin, env, nil, args...)
}

// RunAs is Run as another user, who may run the binary wherever it is.
func RunAs(tb testing.TB, user *syscall.Credential, args ...string) Result {
	tb.Helper()
	return run(tb, "", nil, user, args...)
}

func run(tb testing.TB, stdin string, env []string, user *syscall.Credential, args ...string) Result {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, Binary(tb), args...)
	cmd.Env = append(cleanEnv(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: user}
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		tb.Fatalf("run fondue %v: %v", args, err)
	}
	if ctx.Err() != nil {
		tb.Fatalf("fondue %v did not end within %v; stderr:\n%s", args, commandLimit, stderr.String())
	}
	return Result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}
