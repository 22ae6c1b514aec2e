package shm

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"testing"
	"time"
)

// benchStride is how many adds the second process does between two notes of
// its progress, so that the note costs nothing.
const benchStride = 1024

// BenchmarkTwoProcesses is the parent's cost of an operation while a second
// process does the same as fast as it can: adds to the same keys, each in an
// order of its own; reads, puts, and nine reads for each put, of 100 bytes on its
// own keys. scale is how much more both do than one did alone before.
func BenchmarkTwoProcesses(b *testing.B) {
	const n = 1000
	for _, op := range []string{"add", "read", "put", "mixed"} {
		b.Run(fmt.Sprintf("%s/keys=%d", op, n), func(b *testing.B) {
			r := mappedRegion(b, Geometry{Size: 32 << 20, Slots: 64})
			master, s := attached(b, r)
			own := newBenchWorker(op, 0, n)
			if err := own.fill(s); err != nil {
				b.Fatal(err)
			}
			began, alone := time.Now(), 0
			for ; time.Since(began) < 200*time.Millisecond; alone += benchStride {
				if err := own.work(s, benchStride); err != nil {
					b.Fatal(err)
				}
			}
			rate := float64(alone) / time.Since(began).Seconds()
			id, err := master.Claim(-1)
			if err != nil {
				b.Fatal(err)
			}
			c := startChild(b, r, "bench", id.Slot, id.Generation, op, n)
			theirs := &r.meters(id.Slot).answers[0][Done]
			await(b, "the second process to begin", func() bool { return theirs.Load() > 0 })
			before, slept := theirs.Load(), r.Stats().LockWaits
			b.ReportAllocs()
			for b.Loop() {
				if err := own.work(s, 1); err != nil {
					b.Fatal(err)
				}
			}
			during := theirs.Load() - before
			seconds := b.Elapsed().Seconds()
			b.ReportMetric(float64(b.N)/seconds, "parent-ops/s")
			b.ReportMetric(float64(during)/seconds, "child-ops/s")
			b.ReportMetric(float64(r.Stats().LockWaits-slept)/(float64(b.N)+float64(during)), "sleeps/op")
			b.ReportMetric((float64(b.N)+float64(during))/seconds/rate, "scale")
			if err := c.finish(); err != nil {
				b.Fatal(err)
			}
			if _, err := master.Recover(id); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// benchWorker is what each of the two does.
type benchWorker struct {
	op    string
	keys  [][]byte
	order []int
	i     int
	room  []byte
}

// newBenchWorker has the same keys as others for adds, and its own else.
func newBenchWorker(op string, which, n int) *benchWorker {
	w := &benchWorker{op: op, keys: benchKeys(n), order: rand.Perm(n), room: make([]byte, 100)}
	if op != "add" {
		w.keys = benchKeys(n * (which + 1))[n*which:]
	}
	return w
}

func (w *benchWorker) fill(s *Store) (err error) {
	for _, key := range w.keys {
		if w.op == "add" {
			_, err = s.SetIfAbsent(key, 0)
		} else {
			_, err = s.Put(key, Put{Value: BytesValue(w.room)})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *benchWorker) work(s *Store, n int) (err error) {
	for range n {
		key := w.keys[w.order[w.i]]
		op := w.op
		if op == "mixed" {
			if op = "read"; w.i%10 == 0 {
				op = "put"
			}
		}
		switch op {
		case "add":
			_, err = s.Add(key, 1, 0)
		case "read":
			_, err = s.Read(w.room[:0], key)
		case "put":
			_, err = s.Put(key, Put{Value: BytesValue(w.room)})
		}
		if err != nil {
			return err
		}
		if w.i++; w.i == len(w.keys) {
			w.i = 0
		}
	}
	return nil
}

// benchChild works until its lifeline ends: slot, generation, operation, number
// of keys.
func benchChild(args []string) error {
	s, err := attachChild(args)
	if err != nil {
		return err
	}
	n, err := integers(args[3:])
	if err != nil {
		return err
	}
	var stop atomic.Bool
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop.Store(true)
	}()
	own := newBenchWorker(args[2], 1, n[0])
	if err := own.fill(s); err != nil {
		return err
	}
	for !stop.Load() {
		if err := own.work(s, benchStride); err != nil {
			return err
		}
		add(&s.meters.answers[0][Done], benchStride)
	}
	return nil
}
