package shm

import (
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const (
	// A goroutine's page of the ledger in words.
	atIntent = 0 // kind<<32 | key, 0 when nothing is in flight
	atAmount = 1 // of an add in flight; of a key that is its own the state it will have
	atOps    = 2
	atSum    = 8
	atPot    = atSum + sumKeys
	atTaken  = atPot + potKeys
	atOwn    = atTaken + potKeys // 0 absent, else value<<1 | 1
	atDoc    = atOwn + ownKeys   // 0 absent, else sequence<<1 | whether it expires
	atSeq    = atDoc + docKeys   // last sequence that was begun
	atEntry  = atSeq + docKeys   // number of the last version that was given
	atShared = atEntry + docKeys
	pageLen  = atShared + sharedKeys

	intentSum    = 1
	intentPot    = 2
	intentTaken  = 3
	intentOwn    = 4
	intentDoc    = 5
	intentShared = 6
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
