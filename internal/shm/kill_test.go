package shm

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
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
//     as its last answer said, or in flight before or after, nothing else;
//   - documents belong to one goroutine, too, and everybody reads them: values
//     that say what they are, so that a torn or an older one is found;
//   - shared documents are read, changed and put back by everybody under the
//     condition that nobody else did meanwhile: each counts its changes.
const (
	killSlots      = 8
	killGoroutines = 3
	sumKeys        = 24
	potKeys        = 2048
	ownKeys        = 16
	docKeys        = 12 // of a goroutine
	sharedKeys     = 8
)

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

// bury recovers the slots whose processes were reaped, and settles their
// ledgers. All are recovered first: to read a key may need a lock, and nobody
// but this process takes it from the dead.
func (k *killRun) bury(slots []int) {
	for _, slot := range slots {
		done, err := k.master.Recover(k.ids[slot])
		if err != nil {
			k.t.Fatalf("recover: %v", err)
		}
		k.locks += done.Locks
	}
	for _, slot := range slots {
		for g := range killGoroutines {
			page := slot*killGoroutines + g
			k.settle(page, k.pages[page])
		}
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
	case intentShared:
		k.inFlight[string(sharedKey(i))]++
	case intentDoc:
		k.settleDoc(page, i, amount)
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
		return 400
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("FONDUE_KILLS=%q: %v", text, err)
	}
	return n
}

func TestKilledProcesses(t *testing.T) {
	t.Parallel()
	r := mappedRegion(t, Geometry{Size: 32 << 20, Slots: killSlots})
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
	for i := range sharedKeys {
		if _, err := master.Put(sharedKey(i), Put{Value: BytesValue(document(sharedKey(i), 0, nil))}); err != nil {
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
		k.bury(dead)
		for _, slot := range dead {
			k.spawn(slot)
		}
	}
	for slot, c := range k.children {
		if err := c.finish(); err != nil {
			t.Errorf("the process in slot %d: %v", slot, err)
		}
		k.bury([]int{slot})
	}
	k.verify()
	ops := uint64(0)
	for _, p := range k.pages {
		ops += p[atOps].Load()
	}
	t.Logf("seed %d: %d kills in %v, %d operations, %d of them in flight at a kill, %d locks recovered, %d of %d pots exact",
		seed, n, time.Since(began).Round(time.Millisecond), ops, k.interrupt, k.locks, potKeys-len(k.carried), potKeys)
	if !testing.Short() && (k.locks == 0 || k.interrupt == 0 || total < 1000 && len(k.carried) > potKeys/2) {
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
		for i := range docKeys {
			if got, want := k.doc(page, i), p[atDoc+i].Load(); got != want {
				k.t.Errorf("document %d of page %d is %#x, want %#x", i, page, got, want)
			}
		}
	}
	for i := range sharedKeys {
		seq, _, err := readDocument(k.master, sharedKey(i))
		if err != nil {
			k.t.Fatal(err)
		}
		k.within(sharedKey(i), int64(seq), k.acknowledged(atShared+i))
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
