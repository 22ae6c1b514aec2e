package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fondue-server/fondue/internal/e2e"
)

// fillers fill a region from many connections at once.
const fillers = 16

// filling is the value of a key: 20 kB that say whose they are.
func filling(key string) string { return fmt.Sprintf(`"%s %s"`, key, strings.Repeat("x", 20_000)) }

// fill lets every client put keys of its own until next is false.
func fill(t *testing.T, s *e2e.Server, next func(client, n int, key string, r e2e.Reply) bool) {
	t.Helper()
	var clients sync.WaitGroup
	for i := range fillers {
		clients.Go(func() {
			client := e2e.Client(s.Addrs[0])
			defer client.CloseIdleConnections()
			for n := 0; ; n++ {
				key := fmt.Sprintf("%d.%d", i, n)
				r, err := e2e.Send(client, http.MethodPut, "/v1/keys/"+key, filling(key))
				if err != nil {
					t.Errorf("put: %v", err)
					return
				}
				if !next(i, n, key, r) {
					return
				}
			}
		})
	}
	clients.Wait()
}

// TestRegionFull: from many workers at once a full region answers 507 and
// nothing else, what is refused has changed nothing, counters go on, and what is
// deleted makes room again.
func TestRegionFull(t *testing.T) {
	t.Parallel()
	s := e2e.Start(t, e2e.Options{Workers: 4})
	for i := range 50 {
		s.Get(fmt.Sprint("/increment?key=counter", i)).WantStatus(200)
	}
	s.Do("PUT", "/args", `{"a":"b"}`).WantStatus(200)
	var mu sync.Mutex
	stored, refused := map[string]bool{}, map[string]bool{}
	inARow := [fillers]int{}
	fill(t, s, func(client, n int, key string, r e2e.Reply) bool {
		mu.Lock()
		defer mu.Unlock()
		switch r.Status {
		case 201:
			stored[key], inARow[client] = true, 0
		case 507:
			refused[key] = true
			inARow[client]++
			var problem struct{ Status int }
			if err := json.Unmarshal(r.Body, &problem); err != nil || problem.Status != 507 || r.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s: %s", r.Header.Get("Content-Type"), r.Body)
			}
		default:
			t.Errorf("%s: %d %s", key, r.Status, r.Body)
		}
		// One refusal may be of a shard that is full before the others.
		return inARow[client] < 20 && !t.Failed()
	})
	if len(stored) < 100 || len(refused) < fillers {
		t.Fatalf("%d stored, %d refused", len(stored), len(refused))
	}
	if r := regionOf(t, s); r.Entries != len(stored)+50 || r.Evictions != 0 || r.Evict != "none" {
		t.Errorf("%+v; %d keys were acknowledged", r, len(stored)+50)
	}
	client := e2e.Client(s.Addrs[0])
	defer client.CloseIdleConnections()
	for key := range stored {
		if e2e.Ask(t, client, "GET", "/v1/keys/"+key, "").WantBody(filling(key)); t.Failed() {
			t.FailNow()
		}
	}
	for key := range refused {
		e2e.Ask(t, client, "GET", "/v1/keys/"+key, "").WantStatus(404)
	}
	larger, old := `"`+strings.Repeat("y", 1<<20-2)+`"`, ""
	for key := range stored {
		old = key
		break
	}
	tag := e2e.Ask(t, client, "GET", "/v1/keys/"+old, "").Header.Get("ETag")
	e2e.Ask(t, client, "PUT", "/v1/keys/"+old, larger).WantStatus(507)
	if r := e2e.Ask(t, client, "GET", "/v1/keys/"+old, "").WantBody(filling(old)); r.Header.Get("ETag") != tag {
		t.Errorf("a refused write moved the ETag from %s to %s", tag, r.Header.Get("ETag"))
	}
	for i := range 50 {
		s.Get(fmt.Sprint("/increment?key=counter", i)).WantBody(fmt.Sprintf(`{"key":"counter%d","count":2}`, i))
	}
	s.Get("/args").WantBody(`{"args":{"a":"b"}}`)
	for i := range fillers {
		s.Do("DELETE", fmt.Sprintf("/v1/keys?prefix=%d.", i), "").WantStatus(200)
	}
	if r := regionOf(t, s); r.Entries != 50 {
		t.Errorf("%d entries after the deletes, want 50", r.Entries)
	}
	for key := range stored { // all that fitted fits again
		if e2e.Ask(t, client, "PUT", "/v1/keys/"+key, filling(key)).WantStatus(201); t.Failed() {
			t.FailNow()
		}
	}
	s.Stop()
}

// TestEvictClock: a cache takes every write, and tells of each eviction in the
// reply that caused it and in the sum over all workers.
func TestEvictClock(t *testing.T) {
	t.Parallel()
	s := e2e.Start(t, e2e.Options{Workers: 4, Flags: []string{"--evict", "clock"}})
	s.Do("PUT", "/args", `{"a":"b"}`).WantStatus(200)
	const each = 80 // of 20 kB from each of 16 clients into 8 MiB
	var evicted, stored atomic.Int64
	fill(t, s, func(_, n int, key string, r e2e.Reply) bool {
		if r.Status != 201 {
			t.Errorf("%s: %d %s", key, r.Status, r.Body)
			return false
		}
		stored.Add(1)
		if text := r.Header.Get("Fondue-Evicted"); text != "" {
			count, err := strconv.ParseInt(text, 10, 64)
			if err != nil || count < 1 {
				t.Errorf("Fondue-Evicted: %q", text)
			}
			evicted.Add(count)
		}
		return n < each-1
	})
	r := regionOf(t, s)
	if r.Evict != "clock" || r.Evictions != evicted.Load() || int64(r.Entries) != stored.Load()-evicted.Load() || evicted.Load() < stored.Load()/2 {
		t.Errorf("%+v; %d stored, the replies told of %d evictions", r, stored.Load(), evicted.Load())
	}
	there := int64(0)
	client := e2e.Client(s.Addrs[0])
	defer client.CloseIdleConnections()
	for i := range fillers {
		for n := range each {
			key := fmt.Sprintf("%d.%d", i, n)
			switch r := e2e.Ask(t, client, "GET", "/v1/keys/"+key, ""); r.Status {
			case 200:
				there++
				r.WantBody(filling(key))
			case 404:
			default:
				t.Errorf("%s: %d %s", key, r.Status, r.Body)
			}
		}
	}
	if there != int64(r.Entries) {
		t.Errorf("%d keys are there, /v1/region says %d", there, r.Entries)
	}
	s.Get("/args").WantBody(`{"args":{"a":"b"}}`) // no cache entry
	if !strings.Contains(s.Log(), `"evict":"clock"`) {
		t.Error("the log does not say that keys may be evicted")
	}
	s.Stop()
}
