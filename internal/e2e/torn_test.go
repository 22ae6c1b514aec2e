package e2e_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fondue-server/fondue/internal/e2e"
	"github.com/fondue-server/fondue/internal/shm"
)

// told is a value that tells by itself whether it is whole.
type told struct {
	Client int    `json:"client"`
	Seq    int64  `json:"seq"`
	Len    int    `json:"len"`
	Fill   string `json:"fill"`
}

// tell returns the value of one write, of some size between nothing and what
// takes many blocks.
func tell(client int, seq int64) string {
	n := rand.IntN(200)
	if rand.IntN(4) == 0 {
		n = rand.IntN(60_000)
	}
	letter := string(rune('a' + (seq+int64(client))%26))
	return fmt.Sprintf(`{"client":%d,"seq":%d,"len":%d,"fill":"%s"}`, client, seq, n, strings.Repeat(letter, n))
}

// whole returns what a value tells, or what is wrong with it.
func whole(text []byte, client int) (seq int64, err error) {
	var v told
	if err := json.Unmarshal(text, &v); err != nil {
		return 0, fmt.Errorf("%w in %.200s", err, text)
	}
	letter := string(rune('a' + (v.Seq+int64(client))%26))
	if v.Client != client || len(v.Fill) != v.Len || strings.Trim(v.Fill, letter) != "" {
		return 0, fmt.Errorf("parts of several writes: client %d, seq %d, %d of %d bytes, %.80s", v.Client, v.Seq, len(v.Fill), v.Len, text)
	}
	return v.Seq, nil
}

// author writes one key and, by patches, its own member of an object that all
// share. What it was told is done must be there, and nothing it never wrote.
type author struct {
	id              int
	put, patch      atomic.Int64 // acknowledged
	tried, triedOwn atomic.Int64
}

func (a *author) key() string    { return fmt.Sprint("/v1/keys/put%2F", a.id) }
func (a *author) member() string { return fmt.Sprint("author ", a.id) }

// write goes on until stop is closed. A connection that breaks leaves it open
// whether the last write was done.
func (a *author) write(t *testing.T, addr string, stop <-chan struct{}) {
	client := e2e.Client(addr)
	defer client.CloseIdleConnections()
	for seq := int64(1); ; seq++ {
		select {
		case <-stop:
			return
		default:
		}
		a.tried.Store(seq)
		if r, err := e2e.Send(client, http.MethodPut, a.key(), tell(a.id, seq)); err == nil {
			if r.Status != 200 && r.Status != 201 {
				t.Errorf("put: %d %s", r.Status, r.Body)
				return
			}
			a.put.Store(seq)
		}
		a.triedOwn.Store(seq)
		r, err := e2e.Send(client, http.MethodPatch, "/v1/keys/shared", fmt.Sprintf(`{%q:{"seq":%d,"again":%d}}`, a.member(), seq, seq))
		if err != nil {
			continue
		}
		if r.Status != 200 {
			t.Errorf("patch: %d %s", r.Status, r.Body)
			return
		}
		a.patch.Store(seq)
	}
}

// check reads both values and compares them with what was acknowledged before.
func (a *author) check(t *testing.T, client *http.Client) {
	put, patch := a.put.Load(), a.patch.Load()
	r, err := e2e.Send(client, http.MethodGet, a.key(), "")
	if err != nil || r.Status == 404 && put == 0 {
		return // the worker that was asked was killed
	}
	if seq, err := whole(r.Body, a.id); err != nil || seq < put || seq > a.tried.Load() {
		t.Errorf("put: %d %v; seq %d, %d were acknowledged and %d tried", r.Status, err, seq, put, a.tried.Load())
	}
	if r, err = e2e.Send(client, http.MethodGet, "/v1/keys/shared", ""); err != nil {
		return
	}
	var shared map[string]struct{ Seq, Again int64 }
	if err := json.Unmarshal(r.Body, &shared); err != nil {
		t.Errorf("patch: %d %v in %.200s", r.Status, err, r.Body)
		return
	}
	if own := shared[a.member()]; own.Seq < patch || own.Seq > a.triedOwn.Load() || own.Seq != own.Again {
		t.Errorf("patch: %+v, %d were acknowledged and %d tried", own, patch, a.triedOwn.Load())
	}
}

// TestWorkerKilledWhileItWrites: values of many sizes are replaced and patched
// while workers are killed. Every acknowledged write is there, and no reader
// ever sees half of one.
func TestWorkerKilledWhileItWrites(t *testing.T) {
	t.Parallel()
	s := e2e.Start(t, e2e.Options{Workers: 4})
	region, err := shm.OpenReadOnly(s.Region)
	if err != nil {
		t.Fatal(err)
	}
	defer region.Close()
	s.Do("PUT", "/v1/keys/shared", "{}").WantStatus(201)
	authors := make([]*author, 12)
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for i := range authors {
		authors[i] = &author{id: i}
		clients.Go(func() { authors[i].write(t, s.Addrs[0], stop) })
	}
	for range 3 {
		clients.Go(func() {
			client := e2e.Client(s.Addrs[0])
			defer client.CloseIdleConnections()
			for {
				select {
				case <-stop:
					return
				default:
					authors[rand.IntN(len(authors))].check(t, client)
				}
			}
		})
	}
	acknowledged := func() (n int64) {
		for _, a := range authors {
			n += a.put.Load() + a.patch.Load()
		}
		return n
	}
	kills := 100
	if testing.Short() {
		kills = 10
	}
	for range kills {
		until := acknowledged() + 50 + rand.Int64N(100)
		e2e.Eventually(t, requestsLimit, "more writes", func() bool { return acknowledged() >= until || t.Failed() })
		killOne(s, region)
	}
	close(stop)
	clients.Wait()
	client := e2e.Client(s.Addrs[0])
	defer client.CloseIdleConnections()
	for _, a := range authors {
		if a.put.Load() == 0 || a.patch.Load() == 0 {
			t.Errorf("author %d has written nothing", a.id)
		}
		a.check(t, client)
	}
	t.Logf("%d kills, %d writes acknowledged, %d shards repaired", kills, acknowledged(), region.Stats().Recoveries)
	s.Stop()
}
