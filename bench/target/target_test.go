package target

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// build makes the project's own binaries for the tests.
func build(t *testing.T) Binaries {
	t.Helper()
	dir := t.TempDir()
	b := Binaries{Fondue: filepath.Join(dir, "fondue"), Constant: filepath.Join(dir, "constant"), GoRedis: filepath.Join(dir, "goredis")}
	for binary, source := range map[string]string{b.Fondue: "../../cmd/server", b.Constant: "../constant", b.GoRedis: "../goredis"} {
		cmd := exec.Command("go", "build", "-o", binary, source)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	return b
}

// TestTargets: every target that this host can run starts, counts and ends, and
// leaves no process and no file outside of its directory.
func TestTargets(t *testing.T) {
	t.Parallel()
	binaries := build(t)
	t.Run("start fails", func(t *testing.T) { testStartFails(t, binaries) })
	for _, target := range All(binaries, []int{2}) {
		d := target.Describe()
		t.Run(d.Name, func(t *testing.T) {
			if lacks := target.Missing(); lacks != "" {
				t.Skip(lacks)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			r, err := target.Start(ctx, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			pids, err := r.PIDs()
			if err != nil || len(pids) < 1 {
				t.Errorf("processes %v, %v", pids, err)
			}
			method, path, ok := r.Request("increment")
			if !ok || method != "GET" {
				t.Fatalf("increment: %s %s, %v", method, path, ok)
			}
			for range 3 {
				if err := r.(*running).probe(strings.Replace(path, "%s", "k", 1)); err != nil {
					t.Error(err)
				}
			}
			if n, err := r.Count("k"); !r.(*running).uncounted && (err != nil || d.Exact && n != 3) {
				t.Errorf("count %d, %v", n, err)
			}
			if r.Took() <= 0 || len(r.Command()) == 0 {
				t.Errorf("started by %v in %v", r.Command(), r.Took())
			}
			if err := r.Stop(); err != nil {
				t.Error(err)
			}
			for _, pid := range pids {
				if _, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid), "exe")); err == nil {
					t.Errorf("process %d is left", pid)
				}
			}
		})
	}
}

func testStartFails(t *testing.T, b Binaries) {
	_, err := Fondue{b.Fondue, 2, "nonsense", 0}.Start(t.Context(), t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "--accept") {
		t.Errorf("the error does not quote the log: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (Fondue{b.Fondue, 2, "shared", 64 << 20}).Start(ctx, t.TempDir()); err == nil {
		t.Error("a start that was cancelled succeeded")
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	if lacks := (Fondue{"/nonexistent/fondue", 1, "shared", 0}).Missing(); !strings.Contains(lacks, "make build") {
		t.Errorf("%q", lacks)
	}
	if lacks := missing("some-package", "no-such-program"); !strings.Contains(lacks, "apt-get install some-package") {
		t.Errorf("%q", lacks)
	}
}

func TestNamed(t *testing.T) {
	t.Parallel()
	all := All(Binaries{}, []int{1, 2})
	names := func(targets []Target) (names []string) {
		for _, t := range targets {
			names = append(names, t.Describe().Name)
		}
		return names
	}
	if picked, err := Named(all, nil); err != nil || len(picked) != len(all) {
		t.Errorf("%d of %d, %v", len(picked), len(all), err)
	}
	picked, err := Named(all, []string{"fondue", "nginx-lua/workers=2"})
	if want := []string{"fondue/workers=1", "fondue/workers=2", "nginx-lua/workers=2"}; err != nil || !slices.Equal(names(picked), want) {
		t.Errorf("%v, %v; want %v", names(picked), err, want)
	}
	if _, err := Named(all, []string{"apache"}); err == nil || !strings.Contains(err.Error(), "fastapi-redis/workers=2") {
		t.Errorf("%v", err)
	}
}
