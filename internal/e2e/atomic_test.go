package e2e_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fondue-server/fondue/internal/e2e"
)

// TestIfMatchLosesNothing: clients of many workers read, change and write one
// object, and try again when somebody was faster. Every change counts once.
func TestIfMatchLosesNothing(t *testing.T) {
	t.Parallel()
	s := e2e.Start(t, e2e.Options{Workers: 4})
	const clients, each = 16, 25
	s.Do("PUT", "/v1/keys/o", `{"n":0}`).WantStatus(201)
	var retries atomic.Int64
	var writers sync.WaitGroup
	for range clients {
		writers.Go(func() {
			client := e2e.Client(s.Addrs[0])
			defer client.CloseIdleConnections()
			for done := 0; done < each && !t.Failed(); {
				var object struct {
					N int `json:"n"`
				}
				read, err := e2e.Send(client, "GET", "/v1/keys/o", "")
				if err == nil {
					err = json.Unmarshal(read.Body, &object)
				}
				if err != nil {
					t.Errorf("read: %v", err)
					return
				}
				wrote, err := e2e.Send(client, "PUT", "/v1/keys/o", fmt.Sprintf(`{"n":%d}`, object.N+1), "If-Match", read.Header.Get("ETag"))
				switch {
				case err != nil:
					t.Errorf("write: %v", err)
				case wrote.Status == 200:
					done++
				case wrote.Status == 412:
					retries.Add(1)
				default:
					t.Errorf("write: %d %s", wrote.Status, wrote.Body)
				}
			}
		})
	}
	writers.Wait()
	s.Get("/v1/keys/o").WantBody(fmt.Sprintf(`{"n":%d}`, clients*each))
	if retries.Load() == 0 {
		t.Error("nobody was ever too late: the test did not test")
	}
	t.Logf("%d changes, %d retries", clients*each, retries.Load())
	s.Stop()
}

// TestOneOfManyCreates: If-None-Match: * lets one of all who try at once.
func TestOneOfManyCreates(t *testing.T) {
	t.Parallel()
	s := e2e.Start(t, e2e.Options{Workers: 4})
	for round := range 20 {
		var created atomic.Int64
		var clients sync.WaitGroup
		for i := range 12 {
			clients.Go(func() {
				r := s.Do("PUT", fmt.Sprint("/v1/keys/", round), fmt.Sprintf(`{"by":%d}`, i), "If-None-Match", "*")
				switch r.Status {
				case 201:
					created.Add(1)
				case 412:
				default:
					t.Errorf("%d %s", r.Status, r.Body)
				}
			})
		}
		clients.Wait()
		if created.Load() != 1 {
			t.Fatalf("%d of 12 have created the key", created.Load())
		}
	}
	s.Stop()
}

// TestPatchesAllSurvive: 32 clients over 4 workers patch members of their own
// in one object, and replace a nested one; nobody undoes what another wrote.
func TestPatchesAllSurvive(t *testing.T) {
	t.Parallel()
	s := e2e.Start(t, e2e.Options{Workers: 4})
	const clients, each = 32, 20
	type object struct {
		Members map[string]int `json:"members"`
		Kept    string         `json:"kept"`
	}
	s.Do("PUT", "/v1/keys/o", `{"kept":"from the beginning"}`).WantStatus(201)
	var patchers sync.WaitGroup
	for i := range clients {
		patchers.Go(func() {
			client := e2e.Client(s.Addrs[0])
			defer client.CloseIdleConnections()
			name := fmt.Sprint("member ", i)
			for n := 1; n <= each; n++ {
				r, err := e2e.Send(client, "PATCH", "/v1/keys/o", fmt.Sprintf(`{"members":{%q:%d}}`, name, n), "Content-Type", "application/merge-patch+json")
				var got object
				if err == nil {
					err = json.Unmarshal(r.Body, &got)
				}
				if err != nil || r.Status != 200 || got.Members[name] != n || got.Kept == "" {
					t.Errorf("%s, patch %d: %d %s, %v", name, n, r.Status, r.Body, err)
					return
				}
			}
		})
	}
	patchers.Wait()
	var got object
	s.Get("/v1/keys/o").WantStatus(200).Decode(&got)
	for i := range clients {
		if name := fmt.Sprint("member ", i); got.Members[name] != each {
			t.Errorf("%s is %d, want %d", name, got.Members[name], each)
		}
	}
	if len(got.Members) != clients || got.Kept != "from the beginning" {
		t.Errorf("%+v", got)
	}
	s.Stop()
}
