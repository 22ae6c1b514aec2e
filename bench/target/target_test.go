package target

import (
	"context"
	"errors"
	"io"
	"net/http"
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
	before, err := filepath.Glob(filepath.Join(os.TempDir(), "bench-postgres-*"))
	if err != nil {
		t.Fatal(err)
	}
	t.Run("start fails", func(t *testing.T) { testStartFails(t, binaries) })
	given := Variant{"given", "--log-level warn --access-log access.log"}
	t.Run("unknown flag", func(t *testing.T) {
		lacks := Fondue{binaries.Fondue, 2, Variant{"x", "--no-such-flag"}, 0}.Missing()
		if !strings.Contains(lacks, "--no-such-flag") || strings.Contains(lacks, "\n") {
			t.Errorf("%q", lacks)
		}
	})
	for _, target := range All(binaries, []int{2}, given) {
		d := target.Describe()
		t.Run(d.Name, func(t *testing.T) {
			if lacks := target.Missing(); lacks != "" {
				t.Skip(lacks)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			dir := t.TempDir()
			r, err := target.Start(ctx, dir)
			if err != nil {
				t.Fatal(err)
			}
			pids, err := r.PIDs()
			if err != nil || len(pids) < 1 {
				t.Errorf("processes %v, %v", pids, err)
			}
			checkCount(t, r.(*running), d.Exact)
			checkValues(t, r)
			if r.Took() <= 0 || len(r.Command()) == 0 {
				t.Errorf("started by %v in %v", r.Command(), r.Took())
			}
			if err := r.Stop(); err != nil {
				t.Error(err)
			}
			for _, pid := range append(pids, workingIn(t, dir)...) {
				if living(pid) {
					t.Errorf("process %d is left", pid)
				}
			}
			for name, version := range target.Versions() {
				if version == "" {
					t.Errorf("no version of %s", name)
				}
			}
		})
	}
	if left, err := filepath.Glob(filepath.Join(os.TempDir(), "bench-postgres-*")); err != nil || len(left) > len(before) {
		t.Errorf("left %v, %v", left, err)
	}
}

// checkCount adds 1 three times, by GET and by POST.
func checkCount(t *testing.T, r *running, exact bool) {
	t.Helper()
	_, path, ok := r.Request("increment")
	if !ok {
		t.Fatal("no increment")
	}
	for _, method := range []string{"GET", "POST", "GET"} {
		if status, body := ask(t, r, method, path, ""); status != http.StatusOK || !strings.HasPrefix(strings.ReplaceAll(body, " ", ""), `{"key":`) {
			t.Errorf("%s %s: %d %q", method, path, status, body)
		}
	}
	n, err := r.Count("k")
	switch {
	case r.uncounted && errors.Is(err, errors.ErrUnsupported):
	case err != nil || exact && n != 3 || n > 3:
		t.Errorf("count %d, %v", n, err)
	}
}

// checkValues puts a value and reads it back, where the target has values.
func checkValues(t *testing.T, r Running) {
	t.Helper()
	method, path, ok := r.Request("put")
	if !ok {
		return
	}
	const value = `"a value"`
	if status, body := ask(t, r, method, path, value); status/100 != 2 {
		t.Errorf("put: %d %q", status, body)
	}
	method, path, _ = r.Request("get")
	if status, body := ask(t, r, method, path, ""); status != http.StatusOK || body != value {
		t.Errorf("get: %d %q, want %q", status, body, value)
	}
}

func ask(t *testing.T, r Running, method, path, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+r.Address()+strings.Replace(path, "%s", "k", 1), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// workingIn are the processes whose working directory is a given one: all that a
// target starts begin there.
func workingIn(t *testing.T, dir string) (pids []int) {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if where, err := os.Readlink(link); err == nil && strings.HasPrefix(where, dir) {
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link))); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

func testStartFails(t *testing.T, b Binaries) {
	_, err := Fondue{b.Fondue, 2, Variant{"", "--accept nonsense"}, 0}.Start(t.Context(), t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "--accept") {
		t.Errorf("the error does not quote the log: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (Fondue{b.Fondue, 2, Variant{}, 64 << 20}).Start(ctx, t.TempDir()); err == nil {
		t.Error("a start that was cancelled succeeded")
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	if lacks := (Fondue{"/nonexistent/fondue", 1, Variant{}, 0}).Missing(); !strings.Contains(lacks, "make build") {
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

func TestVariants(t *testing.T) {
	t.Parallel()
	v, err := ParseVariant("quiet=--log-level  error --cpu-affinity=auto")
	if want := (Variant{"quiet", "--log-level error --cpu-affinity=auto"}); err != nil || v != want {
		t.Errorf("%+v, %v", v, err)
	}
	if d := (Fondue{"fondue", 4, v, 0}).Describe(); d.Name != "fondue-quiet/workers=4" || !strings.HasSuffix(d.Title, ", --log-level error --cpu-affinity=auto") {
		t.Errorf("%+v", d)
	}
	for _, text := range []string{"", "quiet", "quiet=", "quiet=error", "=--x", "A=--x", "a/b=--x", "-a=--x", "shared=--accept shared"} {
		if v, err := ParseVariant(text); err == nil {
			t.Errorf("%q is %+v", text, v)
		}
	}
}
