package shm

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// call is one operation on one key, as its caller saw it.
type call struct {
	op  string
	key string
	by  int64
}

type answer struct {
	value   int64
	missing bool // ErrNotFound
	created bool
}

type register struct {
	present bool
	value   int64
}

// counterModel is what one key may do between call and return.
var counterModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byKey := map[string][]porcupine.Operation{}
		for _, op := range history {
			key := op.Input.(call).key
			byKey[key] = append(byKey[key], op)
		}
		var parts [][]porcupine.Operation
		for _, part := range byKey {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return register{} },
	Step: func(state, input, output any) (bool, any) {
		s, in, out := state.(register), input.(call), output.(answer)
		want, next := answer{missing: !s.present}, s
		switch in.op {
		case "add":
			next = register{true, s.value + in.by}
			want = answer{value: next.value}
		case "set":
			next = register{true, in.by}
			want = answer{created: !s.present}
		case "set if absent":
			want = answer{created: !s.present}
			if !s.present {
				next = register{true, in.by}
			}
		case "get":
			want.value = s.value
		case "take":
			want.value = s.value
			next.value = 0
		case "delete":
			want.value = s.value
			next = register{}
		}
		return out == want, next
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v = %+v", input, output) },
}

func (c call) do(s *Store) (a answer, err error) {
	key := []byte(c.key)
	switch c.op {
	case "add":
		a.value, err = s.Add(key, c.by, 0)
	case "set":
		a.created, err = s.Set(key, c.by)
	case "set if absent":
		a.created, err = s.SetIfAbsent(key, c.by)
	case "get":
		a.value, err = s.Get(key)
	case "take":
		a.value, err = s.Take(key)
	case "delete":
		a.value, err = s.Delete(key)
	}
	if errors.Is(err, ErrNotFound) {
		a.missing, err = true, nil
	}
	return a, err
}

// linearCalls is the mix: all kinds, adds most.
var linearCalls = []string{"add", "add", "add", "get", "get", "set", "set if absent", "take", "delete", "delete"}

// history lets goroutines of several processes loose on few keys.
func history(t *testing.T, stores []*Store, seed uint64) []porcupine.Operation {
	t.Helper()
	const goroutines, calls, burst = 4, 24, 3
	var clock atomic.Int64
	var arrived atomic.Int64
	var done sync.WaitGroup
	logs := make([][]porcupine.Operation, goroutines)
	for g := range goroutines {
		s := stores[g%len(stores)]
		rng := rand.New(rand.NewPCG(seed, uint64(g)))
		done.Go(func() {
			for i := range int64(calls) {
				// A call takes less time than waking a goroutine: they meet
				// spinning, every few calls.
				if i%burst == 0 {
					arrived.Add(1)
					for arrived.Load() < (i/burst+1)*goroutines {
						runtime.Gosched()
					}
				}
				in := call{
					op:  linearCalls[rng.IntN(len(linearCalls))],
					key: fmt.Sprint("key", rng.IntN(2)),
					by:  rng.Int64N(5) + 1,
				}
				if rng.IntN(8) == 0 {
					in.by = narrowMax - 1 // back and forth between narrow and wide
				}
				begin := clock.Add(1)
				out, err := in.do(s)
				end := clock.Add(1)
				if err != nil {
					t.Errorf("%+v: %v", in, err)
				}
				logs[g] = append(logs[g], porcupine.Operation{ClientId: g, Input: in, Call: begin, Output: out, Return: end})
			}
		})
	}
	done.Wait()
	var all []porcupine.Operation
	for _, l := range logs {
		all = append(all, l...)
	}
	return all
}

// Every answer fits some order of the operations in which each happens at one
// moment between its call and its return.
//
// Not parallel to other tests: it takes two processors at one moment.
func TestLinearizable(t *testing.T) {
	for _, b := range backings {
		t.Run(b.name, func(t *testing.T) {
			r := b.make(t, Geometry{Size: MinSize, Slots: 3})
			master, first := attached(t, r)
			stores := []*Store{first, newWorker(t, r, master), newWorker(t, r, master)}
			// How much they meet is up to the machine: go on until it was
			// often, for a bounded time.
			const enough, limit = 4000, 3 * time.Second
			histories, concurrent := uint64(0), 0
			for began := time.Now(); concurrent < enough && time.Since(began) < limit; histories++ {
				h := history(t, stores, histories)
				concurrent += overlaps(h)
				if result := porcupine.CheckOperationsTimeout(counterModel, h, 10*time.Second); result != porcupine.Ok {
					t.Fatalf("history %d is %v: %+v", histories, result, h)
				}
				for _, key := range []string{"key0", "key1"} {
					if _, err := master.Delete([]byte(key)); err != nil && !errors.Is(err, ErrNotFound) {
						t.Fatal(err)
					}
				}
			}
			t.Logf("%d operations in %d histories ran beside another one", concurrent, histories)
		})
	}
}

// overlaps counts the operations during which another one began or ended.
func overlaps(h []porcupine.Operation) (n int) {
	for _, op := range h {
		if op.Return != op.Call+1 {
			n++
		}
	}
	return n
}

// The model refuses what a broken store would answer.
func TestCounterModelCanRefuse(t *testing.T) {
	t.Parallel()
	op := func(begin, end int64, c call, a answer) porcupine.Operation {
		return porcupine.Operation{Input: c, Output: a, Call: begin, Return: end}
	}
	add := call{op: "add", key: "k", by: 1}
	for name, h := range map[string][]porcupine.Operation{
		"a lost update": {op(1, 3, add, answer{value: 1}), op(2, 4, add, answer{value: 1})},
		"a stale read":  {op(1, 2, add, answer{value: 1}), op(3, 4, call{op: "get", key: "k"}, answer{missing: true})},
		"taken twice": {
			op(1, 2, add, answer{value: 1}),
			op(3, 5, call{op: "take", key: "k"}, answer{value: 1}), op(4, 6, call{op: "take", key: "k"}, answer{value: 1}),
		},
		"deleted twice": {
			op(1, 2, add, answer{value: 1}),
			op(3, 5, call{op: "delete", key: "k"}, answer{value: 1}), op(4, 6, call{op: "delete", key: "k"}, answer{value: 1}),
		},
	} {
		if porcupine.CheckOperations(counterModel, h) {
			t.Errorf("%s passes", name)
		}
	}
}
