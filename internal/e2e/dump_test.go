package e2e_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/e2e"
)

// command runs one to its end; it has to succeed.
func command(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	r := e2e.Feed(t, stdin, nil, args...)
	if r.Code != 0 || r.Stderr != "" {
		t.Fatalf("fondue %v: code %d, %s", args, r.Code, r.Stderr)
	}
	return r.Stdout
}

// changing writes keys of its own until the returned function is called, which
// says how many writes there were.
func changing(t *testing.T, s *e2e.Server) (stop func() int) {
	done := make(chan struct{})
	var clients sync.WaitGroup
	writes := make([]int, 4)
	for i := range writes {
		clients.Go(func() {
			client := e2e.Client(s.Addrs[0])
			defer client.CloseIdleConnections()
			for seq := int64(1); ; seq++ {
				select {
				case <-done:
					return
				default:
				}
				path := fmt.Sprintf("/v1/keys/changing%%2F%d.%d", i, rand.IntN(20))
				method, body := http.MethodPut, tell(i, seq)
				if rand.IntN(4) == 0 {
					method, body = http.MethodDelete, ""
				}
				if r, err := e2e.Send(client, method, path, body); err != nil || r.Status >= 500 {
					t.Errorf("%s %s: %d %s, %v", method, path, r.Status, r.Body, err)
					return
				}
				writes[i]++
			}
		})
	}
	return func() (sum int) {
		close(done)
		clients.Wait()
		for _, n := range writes {
			sum += n
		}
		return sum
	}
}

// TestDumpBesideAServer: a dump of a region that is written to has every key
// that was there throughout, and a server over what was loaded from it serves
// the same.
func TestDumpBesideAServer(t *testing.T) {
	t.Parallel()
	s := e2e.Start(t, e2e.Options{Workers: 3})
	values := map[string]string{
		"lowest": "-9223372036854775808", "highest": "9223372036854775807", "float": "1.50e300", "null": "null",
		"object": `{"a": ["<\u0000>", 1]}`, "large": `"` + strings.Repeat("x", 1<<20-2) + `"`, "%FF%00%FE": "true",
	}
	for key, value := range values {
		s.Do("PUT", "/v1/keys/"+key, value).WantStatus(201)
	}
	s.Do("PUT", "/v1/keys/expires?ttl=1h", "1").WantStatus(201)
	stop := changing(t, s)
	dir := t.TempDir()
	for round := range 4 {
		text := command(t, "", "dump", "--join", "--region", s.Region)
		region := filepath.Join(dir, fmt.Sprint(round))
		if out := command(t, text, "load", "--region", region, "--region-size", "16MiB"); !strings.HasPrefix(out, "loaded ") {
			t.Errorf("%q", out)
		}
		again := command(t, "", "dump", "--region", region)
		if want, got := stable(text), stable(again); !slices.Equal(want, got) {
			t.Errorf("round %d: %d lines loaded, %d dumped", round, len(want), len(got))
		}
		if round > 0 {
			continue
		}
		other := e2e.Start(t, e2e.Options{Region: region})
		for key, value := range values {
			other.Get("/v1/keys/" + key).WantStatus(200).WantBody(value)
		}
		if ttl := other.Get("/v1/keys/expires").WantStatus(200).Header.Get("Fondue-TTL"); !strings.HasPrefix(ttl, "35") {
			t.Errorf("the key that expires in an hour has %q s left", ttl)
		}
		other.Stop()
	}
	if writes := stop(); writes < 50 {
		t.Errorf("only %d writes beside the dumps", writes)
	}
	if prefixed := command(t, "", "dump", "--join", "--region", s.Region, "--prefix", "large"); strings.Count(prefixed, "\n") != 1 {
		t.Errorf("%.200s", prefixed)
	}
	s.Stop()
}

// stable are the lines of a dump, each once, without what time changes.
func stable(text string) []string {
	lines := slices.Sorted(strings.Lines(text))
	for i, l := range lines {
		if at := strings.LastIndex(l, `,"ttl":`); at > 0 {
			lines[i] = l[:at]
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// TestLoadBesideAServer: clients see each key whole, before and after.
func TestLoadBesideAServer(t *testing.T) {
	t.Parallel()
	s := e2e.Start(t, e2e.Options{Workers: 3})
	const keys = 60
	dumpOf := func(seq int64) string {
		var text strings.Builder
		for i := range keys {
			fmt.Fprintf(&text, `{"key":"loaded/%d","value":%s}`+"\n", i, tell(i, seq))
		}
		return text.String()
	}
	if out := command(t, dumpOf(1), "load", "--join", "--region", s.Region); out != fmt.Sprintf("loaded %d keys\n", keys) {
		t.Errorf("%q", out)
	}
	stop := changing(t, s)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			client := e2e.Client(s.Addrs[0])
			defer client.CloseIdleConnections()
			var last [keys]int64
			for {
				select {
				case <-done:
					return
				default:
				}
				i := rand.IntN(keys)
				r, err := e2e.Send(client, http.MethodGet, fmt.Sprintf("/v1/keys/loaded%%2F%d", i), "")
				if err != nil || r.Status != 200 {
					t.Errorf("key %d: %d, %v", i, r.Status, err)
					return
				}
				seq, err := whole(r.Body, i)
				if err != nil || seq < last[i] {
					t.Errorf("key %d: %v, %d after %d", i, err, seq, last[i])
					return
				}
				last[i] = seq
			}
		})
	}
	for seq := range int64(5) {
		command(t, dumpOf(2+seq), "load", "--join", "--region", s.Region)
	}
	bad := dumpOf(99) + `{"key":"loaded/0","val`
	if r := e2e.Feed(t, bad, nil, "load", "--join", "--region", s.Region); r.Code != 1 || !strings.Contains(r.Stderr, fmt.Sprint("line ", keys+1)) {
		t.Errorf("interrupted input: %+v", r)
	}
	close(done)
	readers.Wait()
	stop()
	for i := range keys {
		if seq, err := whole(s.Get(fmt.Sprintf("/v1/keys/loaded%%2F%d", i)).Body, i); err != nil || seq != 6 {
			t.Errorf("key %d: %d, %v", i, seq, err)
		}
	}
	s.Stop()
}

// TestLoadKilled: one that is killed anywhere holds up nobody, and each of its
// keys is whole.
func TestLoadKilled(t *testing.T) {
	t.Parallel()
	s := e2e.Start(t, e2e.Options{Workers: 2})
	const keys = 200
	file := filepath.Join(t.TempDir(), "dump")
	for round := int64(1); round <= 6; round++ {
		var text strings.Builder
		for i := range keys {
			fmt.Fprintf(&text, `{"key":"loaded/%d","value":%s}`+"\n", i, tell(i, round))
		}
		if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		load := exec.Command(e2e.Binary(t), "load", "--join", "--region", s.Region, file)
		if err := load.Start(); err != nil {
			t.Fatal(err)
		}
		// The first key of this round says that it has begun to write.
		e2e.Eventually(t, requestsLimit, "the first key", func() bool {
			seq, err := whole(s.Get("/v1/keys/loaded%2F0").Body, 0)
			return err == nil && seq == round
		})
		time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
		if err := load.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		_ = load.Wait() // killed, or faster
		client := e2e.Client(s.Addrs[0])
		for i := range keys {
			path := fmt.Sprintf("/v1/keys/loaded%%2F%d", i)
			if r := e2e.Ask(t, client, "GET", path, ""); r.Status != 404 {
				if seq, err := whole(r.Body, i); err != nil || seq > round {
					t.Errorf("key %d: %d, %v", i, seq, err)
				}
			}
			e2e.Ask(t, client, "PUT", path, tell(i, round))
			if t.Failed() {
				break
			}
		}
		client.CloseIdleConnections()
	}
	s.Stop()
}
