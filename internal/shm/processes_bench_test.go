package shm

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"testing"
)

// benchStride is how many adds the second process does between two notes of
// its progress, so that the note costs nothing.
const benchStride = 1024

// BenchmarkTwoProcesses is the parent's cost of an add while a second process
// adds to the same keys as fast as it can, each in an order of its own.
func BenchmarkTwoProcesses(b *testing.B) {
	const n = 1000
	b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
		keys := benchKeys(n)
		r := mappedRegion(b, Geometry{Size: 32 << 20, Slots: 64})
		master, s := attached(b, r)
		for _, k := range keys {
			if _, err := s.Set(k, 0); err != nil {
				b.Fatal(err)
			}
		}
		id, err := master.Claim(-1)
		if err != nil {
			b.Fatal(err)
		}
		c := startChild(b, r, "bench", id.Slot, id.Generation, n)
		theirs := &r.slot(id.Slot).requests
		await(b, "the second process to add", func() bool { return theirs.Load() > 0 })
		before, i := theirs.Load(), 0
		order := rand.Perm(n)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Add(keys[order[i]], 1, 0); err != nil {
				b.Fatal(err)
			}
			if i++; i == n {
				i = 0
			}
		}
		during := theirs.Load() - before
		seconds := b.Elapsed().Seconds()
		b.ReportMetric(float64(b.N)/seconds, "parent-adds/s")
		b.ReportMetric(float64(during)/seconds, "child-adds/s")
		if err := c.finish(); err != nil {
			b.Fatal(err)
		}
		if _, err := master.Recover(id); err != nil {
			b.Fatal(err)
		}
	})
}

// benchChild adds until its lifeline ends: slot, generation, number of keys.
func benchChild(args []string) error {
	s, err := attachChild(args)
	if err != nil {
		return err
	}
	n, err := integers(args[2:])
	if err != nil {
		return err
	}
	var stop atomic.Bool
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop.Store(true)
	}()
	keys, order, i := benchKeys(n[0]), rand.Perm(n[0]), 0
	for !stop.Load() {
		for range benchStride {
			if _, err := s.Add(keys[order[i]], 1, 0); err != nil {
				return err
			}
			if i++; i == len(keys) {
				i = 0
			}
		}
		add(&s.slot.requests, benchStride)
	}
	return nil
}
