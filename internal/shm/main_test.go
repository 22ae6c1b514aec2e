package shm

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// childEnv names the program that a re-executed test binary runs in place of
// its tests.
const childEnv = "FONDUE_SHM_CHILD"

// childRegionFD is where a child program inherits the region.
const childRegionFD = 3

var childPrograms = map[string]func(args []string) error{
	"adder":  adderChild,
	"worker": workerChild,
	"master": masterChild,
	"bench":  benchChild,
	"linear": linearChild,
	"putter": putterChild,
}

func TestMain(m *testing.M) {
	name := os.Getenv(childEnv)
	if name == "" {
		os.Exit(m.Run())
	}
	if err := childPrograms[name](os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "child %s %v: %v\n", name, os.Args[1:], err)
		os.Exit(1)
	}
	os.Exit(0)
}

// child is another process with a program of childPrograms. Its standard input
// is its lifeline as well: it ends at the end of it, so that no child outlives
// the test binary.
type child struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Scanner
}

// startChild runs a program with the region as an inherited descriptor. The
// child is killed when the test ends.
func startChild(t testing.TB, r *Region, name string, args ...any) *child {
	t.Helper()
	c := &child{cmd: childCommand(r.File(), name, args...)}
	startPiped(t, c)
	return c
}

func startPiped(t testing.TB, c *child) {
	t.Helper()
	var err error
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	// Not a StdoutPipe, which Wait closes: a grandchild may go on writing.
	out, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	c.cmd.Stdout = theirs
	c.lines = bufio.NewScanner(out)
	t.Cleanup(func() { out.Close() })
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if c.cmd.ProcessState == nil {
			c.kill(t)
		}
	})
}

func childCommand(region *os.File, name string, args ...any) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	for _, a := range args {
		cmd.Args = append(cmd.Args, fmt.Sprint(a))
	}
	// Two threads at least, so that goroutines of one child meet in the region.
	cmd.Env = append(os.Environ(), childEnv+"="+name, "GOMAXPROCS=2")
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = []*os.File{region}
	return cmd
}

// kill ends the child by SIGKILL and reaps it.
func (c *child) kill(t testing.TB) {
	t.Helper()
	if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("kill: %v", err)
	}
	_ = c.cmd.Wait() // "signal: killed"
}

// finish lets the child end by itself and reports how it did.
func (c *child) finish() error {
	c.stdin.Close()
	return c.cmd.Wait()
}

// expect reads the next line of the child's output, which begins with word,
// and returns the integers after it.
func (c *child) expect(t testing.TB, word string) []int {
	t.Helper()
	if !c.lines.Scan() {
		t.Fatalf("the child ended before it said %q", word)
	}
	fields := strings.Fields(c.lines.Text())
	if len(fields) == 0 || fields[0] != word {
		t.Fatalf("the child said %q, want %q", c.lines.Text(), word)
	}
	numbers, err := integers(fields[1:])
	if err != nil {
		t.Fatal(err)
	}
	return numbers
}

func integers(fields []string) ([]int, error) {
	numbers := make([]int, len(fields))
	for i, f := range fields {
		var err error
		if numbers[i], err = strconv.Atoi(f); err != nil {
			return nil, err
		}
	}
	return numbers, nil
}

// attachChild makes a child program a worker of the region: slot and
// generation are its first two arguments.
func attachChild(args []string) (*Store, error) {
	n, err := integers(args[:2])
	if err != nil {
		return nil, err
	}
	r, err := Inherit(os.NewFile(childRegionFD, "region"))
	if err != nil {
		return nil, err
	}
	return r.Attach(ID{Slot: n[0], Generation: uint32(n[1])})
}

// patience bounds the wait for what must happen at once; it is generous
// because other tests share the machine.
const patience = 20 * time.Second

// await looks until ok, and fails the test when it never is.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}
