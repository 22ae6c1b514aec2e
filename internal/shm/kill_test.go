package shm

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Processes add, take, delete and insert while they are killed at random. What
// each goroutine was told, and what it was about to do, stands in a ledger: a
// mapped file, which a SIGKILL does not take back.
//
//   - sum keys are only added to: the sum is every acknowledged add, plus at
//     most those in flight at a kill;
//   - pot keys are added to, taken and deleted by everybody: what was taken or
//     deleted and what is left is every acknowledged add, likewise; a take in
//     flight at a kill may have carried its value away;
//   - own keys belong to one goroutine, which does anything with them: each is
//     as its last answer said, or in flight before or after, nothing else.
const (
	killSlots      = 8
	killGoroutines = 3
	sumKeys        = 24
	potKeys        = 1024
	ownKeys        = 16

	// A goroutine's page of the ledger in words.
	atIntent = 0 // kind<<32 | key, 0 when nothing is in flight
	atAmount = 1 // of an add in flight; for an own key the state it will have
	atOps    = 2
	atSum    = 8
	atPot    = atSum + sumKeys
	atTaken  = atPot + potKeys
	atOwn    = atTaken + potKeys // 0 absent, else value<<1 | 1
	pageLen  = atOwn + ownKeys

	intentSum   = 1
	intentPot   = 2
	intentTaken = 3
	intentOwn   = 4
)

type ledgerPage []atomic.Uint64

func openLedger(path string) ([]ledgerPage, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size := killSlots * killGoroutines * pageLen * 8
	if err := f.Truncate(int64(size)); err != nil {
		return nil, err
	}
	b, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	pages := make([]ledgerPage, killSlots*killGoroutines)
	for i := range pages {
		pages[i] = memoryOf(b).words(uint64(i)*pageLen*8, pageLen)
	}
	return pages, nil
}

// intend writes what is about to happen, in this order: a reader believes the
// amount only beside an intent.
func (p ledgerPage) intend(kind, key int, amount uint64) {
	p[atAmount].Store(amount)
	p[atIntent].Store(uint64(kind)<<32 | uint64(key))
}

func (p ledgerPage) settle() {
	p[atOps].Add(1)
	p[atIntent].Store(0)
}

func sumKey(i int) []byte { return fmt.Appendf(nil, "sum:%d", i) }
func potKey(i int) []byte { return fmt.Appendf(nil, "pot:%d", i) }

// ownKey has every class of length, so that slabs fill and empty.
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
		switch rng.IntN(4) {
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

// killRun is the parent's view.
type killRun struct {
	t        *testing.T
	region   *Region
	master   *Store
	ledger   string
	pages    []ledgerPage
	children [killSlots]*child
	ids      [killSlots]ID
	seed     uint64

	inFlight  map[string]int64 // adds that may or may not have happened, by key
	carried   map[string]bool  // pots that a take in flight may have emptied
	locks     int
	replayed  int
	interrupt int // operations in flight at kills
}

func (k *killRun) spawn(slot int) {
	id, err := k.master.Claim(slot)
	if err != nil || id.Slot != slot {
		k.t.Fatalf("claim slot %d: %v, %v", slot, id, err)
	}
	k.seed++
	c := startChild(k.t, k.region, "adder", id.Slot, id.Generation, k.ledger, k.seed)
	k.master.Spawned(id, c.cmd.Process.Pid)
	k.ids[slot], k.children[slot] = id, c
}

// bury recovers a slot whose process was reaped, and settles its ledger.
func (k *killRun) bury(slot int) {
	done, err := k.master.Recover(k.ids[slot])
	if err != nil {
		k.t.Fatalf("recover: %v", err)
	}
	k.locks += done.Locks
	k.replayed += done.Replayed
	for g := range killGoroutines {
		page := slot*killGoroutines + g
		k.settle(page, k.pages[page])
	}
}

func (k *killRun) settle(page int, p ledgerPage) {
	intent, amount := p[atIntent].Load(), p[atAmount].Load()
	if intent == 0 {
		return
	}
	k.interrupt++
	i := int(uint32(intent))
	switch intent >> 32 {
	case intentSum:
		k.inFlight[string(sumKey(i))] += int64(amount)
	case intentPot:
		k.inFlight[string(potKey(i))] += int64(amount)
	case intentTaken:
		k.carried[string(potKey(i))] = true
	case intentOwn:
		before, got := p[atOwn+i].Load(), k.own(page, i)
		if got != before && got != amount {
			k.t.Errorf("own key %d of page %d after a kill is %#x, before the operation in flight %#x, after it %#x", i, page, got, before, amount)
		}
		p[atOwn+i].Store(got)
	}
	p[atIntent].Store(0)
}

// own is an own key's state as the ledger writes it.
func (k *killRun) own(page, i int) uint64 {
	v, err := k.master.Get(ownKey(page, i))
	if errors.Is(err, ErrNotFound) {
		return 0
	}
	if err != nil {
		k.t.Fatal(err)
	}
	return uint64(v)<<1 | 1
}

// kills is how many the test does: FONDUE_KILLS, by default enough for every
// kind of operation to be hit.
func kills(t *testing.T) int {
	text := os.Getenv("FONDUE_KILLS")
	if text == "" {
		if testing.Short() {
			return 20
		}
		return 220
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("FONDUE_KILLS=%q: %v", text, err)
	}
	return n
}

func TestKilledProcesses(t *testing.T) {
	t.Parallel()
	r := mappedRegion(t, Geometry{Size: 8 << 20, Slots: killSlots})
	master, _, err := r.AttachMaster(false)
	if err != nil {
		t.Fatal(err)
	}
	k := &killRun{
		t: t, region: r, master: master, ledger: filepath.Join(t.TempDir(), "ledger"),
		inFlight: map[string]int64{}, carried: map[string]bool{},
	}
	if k.pages, err = openLedger(k.ledger); err != nil {
		t.Fatal(err)
	}
	// Some sums cross from narrow to wide on the way.
	for i := range sumKeys {
		if _, err := master.Set(sumKey(i), k.sumStart(i)); err != nil {
			t.Fatal(err)
		}
	}
	for slot := range killSlots {
		k.spawn(slot)
	}
	const seed = 20240607
	rng := rand.New(rand.NewPCG(seed, 1))
	began := time.Now()
	n, total := 0, kills(t)
	for n < total && !t.Failed() {
		// A random moment is what is wanted here, nothing is synchronised.
		time.Sleep(time.Duration(rng.Int64N(int64(30 * time.Millisecond))))
		dead := rng.Perm(killSlots)[:1+rng.IntN(3)]
		for _, slot := range dead {
			k.children[slot].kill(t)
			n++
		}
		for _, slot := range dead {
			k.bury(slot)
		}
		for _, slot := range dead {
			k.spawn(slot)
		}
	}
	for slot, c := range k.children {
		if err := c.finish(); err != nil {
			t.Errorf("the process in slot %d: %v", slot, err)
		}
		k.bury(slot)
	}
	k.verify()
	ops := uint64(0)
	for _, p := range k.pages {
		ops += p[atOps].Load()
	}
	t.Logf("seed %d: %d kills in %v, %d operations, %d of them in flight at a kill, %d locks recovered, %d changes replayed, %d of %d pots exact",
		seed, n, time.Since(began).Round(time.Millisecond), ops, k.interrupt, k.locks, k.replayed, potKeys-len(k.carried), potKeys)
	if !testing.Short() && (k.locks == 0 || k.interrupt == 0 || len(k.carried) > potKeys/2 && total < 500) {
		t.Error("the kills hit nothing: this run proves nothing")
	}
}

func (k *killRun) sumStart(i int) int64 {
	if i%4 == 0 {
		return narrowMax - 5000
	}
	return 0
}

func (k *killRun) verify() {
	for i := range sumKeys {
		v, err := k.master.Get(sumKey(i))
		if err != nil {
			k.t.Fatal(err)
		}
		k.within(sumKey(i), v-k.sumStart(i), k.acknowledged(atSum+i))
	}
	for i := range potKeys {
		v, err := k.master.Get(potKey(i))
		if err != nil && !errors.Is(err, ErrNotFound) {
			k.t.Fatal(err)
		}
		k.within(potKey(i), v+k.acknowledged(atTaken+i), k.acknowledged(atPot+i))
	}
	for page, p := range k.pages {
		for i := range ownKeys {
			if got, want := k.own(page, i), p[atOwn+i].Load(); got != want {
				k.t.Errorf("own key %d of page %d is %#x, want %#x", i, page, got, want)
			}
		}
	}
}

func (k *killRun) acknowledged(word int) (n int64) {
	for _, p := range k.pages {
		n += int64(p[word].Load())
	}
	return n
}

func (k *killRun) within(key []byte, got, acked int64) {
	most := acked + k.inFlight[string(key)]
	if got > most || got < acked && !k.carried[string(key)] {
		k.t.Errorf("%s: %d counted, %d acknowledged, at most %d with those in flight", key, got, acked, most)
	}
}
