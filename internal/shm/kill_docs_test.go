package shm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"time"
)

const docHeader = 28 // bytes: sequence, length, checksum of the key, checksum of the rest

// docSizes are the lengths that a document may have beyond its header: within a
// unit, an extent, a chain, many of them.
var docSizes = []int{0, 3, 28, 29, 200, 1000, 1500, 1501, 6000, 6000, 30_000, 100_000}

func docSize(seq uint64) int { return docSizes[seq*0x9e3779b97f4a7c15>>32%uint64(len(docSizes))] }

// document appends the one and only value that key has at seq.
func document(key []byte, seq uint64, dst []byte) []byte {
	size := docSize(seq)
	dst = binary.LittleEndian.AppendUint64(dst, seq)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(size))
	dst = binary.LittleEndian.AppendUint32(dst, crc32.Checksum(key, castagnoli))
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
	body := len(dst)
	for w := seq ^ mulB; len(dst) < body+size; w = w*mulA + 1 {
		dst = binary.LittleEndian.AppendUint64(dst, w)
	}
	dst = dst[:body+size]
	binary.LittleEndian.PutUint64(dst[body-8:], uint64(crc32.Checksum(dst[body:], castagnoli)))
	return dst
}

// readDocument reads one and holds it against what it says of itself.
func readDocument(s *Store, key []byte) (seq uint64, it Item, err error) {
	if it, err = s.Read(nil, key); err != nil {
		return 0, it, err
	}
	if it.Integer || len(it.Bytes) < docHeader {
		return 0, it, fmt.Errorf("%q holds no document: %v, %d bytes", key, it.Integer, len(it.Bytes))
	}
	seq = binary.LittleEndian.Uint64(it.Bytes)
	if want := document(key, seq, nil); !bytes.Equal(it.Bytes, want) {
		return 0, it, fmt.Errorf("%q is torn: %d bytes that begin with %x; of %d bytes %x was written", key, len(it.Bytes), it.Bytes[:docHeader], len(want), want[:docHeader])
	}
	return seq, it, nil
}

func docKey(page, i int) []byte {
	key := fmt.Appendf(nil, "doc:%d:%d", page, i)
	if i%4 == 0 { // some go on in a chain
		key = append(key, bytes.Repeat([]byte{'-'}, 100*i/4+20)...)
	}
	return key
}

func sharedKey(i int) []byte { return fmt.Appendf(nil, "shared:%d", i) }

// docLife is longer than any run.
const docLife = 24 * time.Hour

func docState(seq uint64, expires bool) uint64 {
	if expires {
		return seq<<1 | 1
	}
	return seq << 1
}

// docOperation does one thing with a document that nobody else writes, and
// holds the answer against what must be.
func docOperation(s *Store, p ledgerPage, page int, rng *rand.Rand) error {
	i := rng.IntN(docKeys)
	key, was := docKey(page, i), p[atDoc+i].Load()
	seq, expires, there := p[atSeq+i].Load()+1, was&1 == 1, was != 0
	// The numbers of what was in flight at a kill are not used again.
	p[atSeq+i].Store(seq)
	next, full := docState(seq, expires && there), false
	var did Effect
	var err error
	put := func(put Put) {
		p.intend(intentDoc, i, next)
		put.Value = BytesValue(document(key, seq, nil))
		if did, err = s.Put(key, put); errors.Is(err, ErrFull) {
			err, full = nil, true
		}
	}
	switch op := rng.IntN(8); {
	case op == 0 && there:
		next = 0
		p.intend(intentDoc, i, next)
		err = s.Remove(key, Condition{Present: true})
	case op == 1 && there:
		expires = rng.IntN(2) == 0
		next = was&^1 | docState(0, expires)
		p.intend(intentDoc, i, next)
		life := time.Duration(0)
		if expires {
			life = docLife
		}
		_, err = s.SetTTL(key, life, Condition{Not: []Version{{Entry: 1}}})
	case op == 2:
		p.intend(intentDoc, i, was)
		_, err = s.Put(key, Put{Value: IntegerValue(1), If: Condition{Match: []Version{{Entry: 1}}}})
		if !errors.Is(err, ErrCondition) {
			return fmt.Errorf("a version that %q never had is taken for its own: %w", key, err)
		}
		err, next = nil, was
	case op == 3:
		next = docState(seq, true)
		put(Put{TTL: docLife})
	case op == 4:
		next = docState(seq, false)
		put(Put{})
	case op == 5 && !there:
		put(Put{If: Condition{Absent: true}})
	default:
		put(Put{KeepTTL: true, If: Condition{Present: there, Absent: !there}})
	}
	if err != nil {
		return fmt.Errorf("document %q: %w", key, err)
	}
	if full {
		next = was
	}
	if did.Version.Entry != 0 {
		if last := p[atEntry+i].Load(); did.Version.Entry <= last {
			return fmt.Errorf("%q was given version %d, it had %d before", key, did.Version.Entry, last)
		}
		p[atEntry+i].Store(did.Version.Entry)
	}
	p[atDoc+i].Store(next)
	return nil
}

// sharedOperation changes a document that everybody changes, as a patch does:
// none of the changes may be lost.
func sharedOperation(s *Store, p ledgerPage, rng *rand.Rand) error {
	i := rng.IntN(sharedKeys)
	key := sharedKey(i)
	for {
		seq, it, err := readDocument(s, key)
		if err != nil {
			return err
		}
		p.intend(intentShared, i, 0)
		_, err = s.Put(key, Put{Value: BytesValue(document(key, seq+1, nil)), KeepTTL: true, If: Condition{Match: []Version{it.Version}}})
		switch {
		case err == nil:
			p[atShared+i].Add(1)
			return nil
		case errors.Is(err, ErrFull):
			return nil
		case !errors.Is(err, ErrCondition):
			return err
		}
		p[atIntent].Store(0)
	}
}

// doc is a document's state as the ledger writes it.
func (k *killRun) doc(page, i int) uint64 {
	seq, it, err := readDocument(k.master, docKey(page, i))
	if errors.Is(err, ErrNotFound) {
		return 0
	}
	if err != nil {
		k.t.Fatal(err)
	}
	return docState(seq, it.TTL > 0)
}

func (k *killRun) settleDoc(page, i int, after uint64) {
	before, got := k.pages[page][atDoc+i].Load(), k.doc(page, i)
	if got != before && got != after {
		k.t.Errorf("document %d of page %d after a kill is %#x, before the operation in flight %#x, after it %#x", i, page, got, before, after)
	}
	k.pages[page][atDoc+i].Store(got)
}
