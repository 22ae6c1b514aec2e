package shm

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// wantLinearizable wants an order of the operations in which each happens at
// one moment between its call and its return.
func wantLinearizable(t *testing.T, h []porcupine.Operation) {
	t.Helper()
	const limit = 5 * time.Minute // milliseconds are usual
	parts := objectModel.Partition(h)
	var next atomic.Int64
	var checking sync.WaitGroup
	for range 2 {
		checking.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(parts) && !t.Failed(); i = int(next.Add(1)) - 1 {
				if result := porcupine.CheckOperationsTimeout(objectModel, parts[i], limit); result != porcupine.Ok {
					slices.SortFunc(parts[i], func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
					text := ""
					for _, op := range parts[i] {
						text += fmt.Sprintf("\n%d: %d to %d: %+v = %+v", op.ClientId, op.Call, op.Return, op.Input, op.Output)
					}
					t.Errorf("the history of a key is %v:%s", result, text)
				}
			}
		})
	}
	checking.Wait()
}

// overlaps counts the operations beside which another caller had one on the
// same key.
func overlaps(h []porcupine.Operation) (n int) {
	for _, part := range objectModel.Partition(h) {
		slices.SortFunc(part, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
		end := int64(0)
		for i, op := range part {
			if op.Call <= end || i+1 < len(part) && part[i+1].Call <= op.Return {
				n++
			}
			if op.Return < 1<<62 {
				end = max(end, op.Return)
			}
		}
	}
	return n
}

// Every answer that several processes get fits some order.
//
// Not parallel to other tests: it takes two processors at one moment.
func TestLinearizable(t *testing.T) {
	for _, b := range backings {
		t.Run(b.name, func(t *testing.T) {
			r := b.make(t, Geometry{Size: 8 << 20, Slots: 3})
			master, first := attached(t, r)
			stores := []*Store{first, newWorker(t, r, master), newWorker(t, r, master)}
			// How much they meet is up to the machine: go on until it was
			// often, for a bounded time.
			const enough, least, limit = 4000, 5, 2 * time.Second
			operations, concurrent, round := 0, 0, uint64(0)
			for began := time.Now(); round < least || concurrent < enough && time.Since(began) < limit; round++ {
				h := linearRound(t, stores, round)
				wantLinearizable(t, h)
				operations, concurrent = operations+len(h), concurrent+overlaps(h)
				if _, err := master.RemovePrefix(nil); err != nil {
					t.Fatal(err)
				}
			}
			t.Logf("%d operations, %d of them beside another one on the same key", operations, concurrent)
		})
	}
}

// linearRound lets all stores loose on few keys.
func linearRound(t *testing.T, stores []*Store, seed uint64) []porcupine.Operation {
	t.Helper()
	const total = 2000
	l := newLinearLog(make([]atomic.Uint64, logWords(total, len(stores))), total, len(stores))
	// A call takes less time than waking a goroutine: they wait spinning until
	// all are there, every few calls.
	l.burst = 9
	var running sync.WaitGroup
	for lane, s := range stores {
		running.Go(func() {
			if err := l.run(lane, s, seed); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	h, _ := l.history()
	return h
}
