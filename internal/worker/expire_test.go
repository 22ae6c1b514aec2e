package worker

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/fondue-server/fondue/internal/shm"
)

// TestExpire: a worker reclaims keys that nobody asks for any more.
func TestExpire(t *testing.T) {
	t.Parallel()
	region, master := newRegion(t)
	const keys = 1000
	for i := range keys {
		put := shm.Put{Value: shm.BytesValue([]byte(`{"n":1}`)), TTL: time.Duration(1+i%50) * time.Millisecond}
		if _, err := master.Put(fmt.Appendf(nil, "key %d", i), put); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := master.Set([]byte("stays"), 1); err != nil {
		t.Fatal(err)
	}
	if n := region.Stats().Entries; n < 2 {
		t.Fatalf("%d entries before any worker is there: nothing is left to reclaim", n)
	}
	p := spawn(t, region, master, false, nil)
	p.awaitReady(t)
	waitFor(t, "end of the expired keys", func() bool { return region.Stats().Entries == 1 })
	if n := region.Stats().Expiries; n != keys {
		t.Errorf("%d expiries, want %d", n, keys)
	}
}

// TestPolicyIsHandedOver: what the master says about large values holds.
func TestPolicyIsHandedOver(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, lane bool) {
		region, master := newRegion(t)
		p := spawn(t, region, master, lane, func(w *handoff.Worker, _ *exec.Cmd) { w.MaxValue = 2048 })
		p.awaitReady(t)
		for size, want := range map[int]int{2048: 201, 2049: 413} {
			c, err := dial("tcp", p.addr, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			body := `"` + strings.Repeat("x", size-2) + `"`
			if _, err := fmt.Fprintf(c, "PUT /v1/keys/%d HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n%s", size, size, body); err != nil {
				t.Fatal(err)
			}
			if status, text, _, err := c.receive(); status != want || err != nil {
				t.Errorf("%d bytes: %d %s, %v; want %d", size, status, text, err, want)
			}
		}
	})
}
