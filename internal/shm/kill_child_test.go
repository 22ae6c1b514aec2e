package shm

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"sync/atomic"
)

func sumKey(i int) []byte { return fmt.Appendf(nil, "sum:%d", i) }
func potKey(i int) []byte { return fmt.Appendf(nil, "pot:%d", i) }

// ownKey has every length, so that keys go on in chains.
func ownKey(page, i int) []byte {
	key := fmt.Appendf(nil, "own:%d:%d:", page, i)
	for len(key) < i*33 {
		key = append(key, '.')
	}
	return key
}

// adderChild is one of the processes: slot, generation, ledger, seed.
func adderChild(args []string) error {
	s, err := attachChild(args)
	if err != nil {
		return err
	}
	pages, err := openLedger(args[2])
	if err != nil {
		return err
	}
	seed, err := strconv.ParseUint(args[3], 10, 64)
	if err != nil {
		return err
	}
	failed := make(chan error, killGoroutines)
	var stop atomic.Bool
	for g := range killGoroutines {
		page := s.ID().Slot*killGoroutines + g
		rng := rand.New(rand.NewPCG(seed, uint64(g)))
		go func() { failed <- adder(s, pages[page], page, rng, &stop) }()
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop.Store(true)
	}()
	for range killGoroutines {
		if e := <-failed; e != nil {
			stop.Store(true)
			err = e
		}
	}
	return err
}

func adder(s *Store, p ledgerPage, page int, rng *rand.Rand, stop *atomic.Bool) error {
	for !stop.Load() {
		var err error
		switch rng.IntN(8) {
		case 0:
			i, by := rng.IntN(sumKeys), rng.Int64N(3)+1
			p.intend(intentSum, i, uint64(by))
			_, err = s.Add(sumKey(i), by, 0)
			p[atSum+i].Add(uint64(by))
		case 1:
			i, by := rng.IntN(potKeys), rng.Int64N(3)+1
			p.intend(intentPot, i, uint64(by))
			_, err = s.Add(potKey(i), by, 0)
			p[atPot+i].Add(uint64(by))
		case 2:
			i, v := rng.IntN(potKeys), int64(0)
			p.intend(intentTaken, i, 0)
			if rng.IntN(2) == 0 {
				v, err = s.Take(potKey(i))
			} else {
				v, err = s.Delete(potKey(i))
			}
			p[atTaken+i].Add(uint64(v))
			if errors.Is(err, ErrNotFound) {
				err = nil
			}
		case 3:
			err = ownOperation(s, p, page, rng)
		case 4:
			err = docOperation(s, p, page, rng)
		case 5:
			err = sharedOperation(s, p, rng)
		case 6:
			_, _, err = readDocument(s, docKey(rng.IntN(killSlots*killGoroutines), rng.IntN(docKeys)))
			if errors.Is(err, ErrNotFound) {
				err = nil
			}
		case 7: // adds meanwhile are not lost
			key, life := sumKey(rng.IntN(sumKeys)), docLife
			if rng.IntN(2) == 0 {
				life = 0
			}
			_, err = s.SetTTL(key, life, Condition{Present: true})
		}
		if err != nil {
			return err
		}
		p.settle()
	}
	return nil
}

// ownOperation does one thing with a key that nobody else touches, and holds
// the answer against what must be.
func ownOperation(s *Store, p ledgerPage, page int, rng *rand.Rand) error {
	i := rng.IntN(ownKeys)
	key, was := ownKey(page, i), p[atOwn+i].Load()
	present, value := was != 0, int64(was)>>1
	v := rng.Int64N(1000)
	if rng.IntN(4) == 0 {
		v += narrowMax // a wide value
	}
	var got, want int64
	var err error
	next := uint64(v)<<1 | 1
	switch op := rng.IntN(4); {
	case op == 0 && present:
		next = uint64(value+1)<<1 | 1
		p.intend(intentOwn, i, next)
		want = value + 1
		got, err = s.Add(key, 1, 0)
	case op == 1 && present:
		next = 1
		p.intend(intentOwn, i, next)
		want = value
		got, err = s.Take(key)
	case op >= 2 && present:
		next = 0
		p.intend(intentOwn, i, next)
		want = value
		got, err = s.Delete(key)
	case op == 3:
		p.intend(intentOwn, i, next)
		_, err = s.SetIfAbsent(key, v)
	default:
		p.intend(intentOwn, i, next)
		_, err = s.Set(key, v)
	}
	if err != nil || got != want {
		return fmt.Errorf("own key %q: answer %d, want %d: %w", key, got, want, err)
	}
	p[atOwn+i].Store(next)
	return nil
}
