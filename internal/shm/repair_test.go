package shm

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// wound is damage as no death leaves it. e is the first of three entries in
// one bucket, all of bytes.
type wound struct {
	name string
	do   func(sh *shard, bucket uint64, e *entry)
}

var deepWounds = []wound{
	{"bucket that leads outside", func(sh *shard, bucket uint64, _ *entry) {
		sh.mem.word(bucket).Store(sh.unitOff(sh.unitsN))
	}},
	{"bucket that leads to the superblock", func(sh *shard, bucket uint64, _ *entry) { sh.mem.word(bucket).Store(8) }},
	{"bucket that leads between lines", func(sh *shard, bucket uint64, _ *entry) { sh.mem.word(bucket).Add(unitSize) }},
	{"chain of entries that does not end", func(sh *shard, bucket uint64, e *entry) {
		e.link.Store(sh.mem.word(bucket).Load())
	}},
	{"value that begins outside", func(sh *shard, _ uint64, e *entry) { e.word.Store(bytesWord(sh.unitsN + 1)) }},
	{"value that begins far away", func(sh *shard, _ uint64, e *entry) { e.word.Store(bytesWord(refMask)) }},
	{"value in an entry", func(sh *shard, bucket uint64, e *entry) {
		e.word.Store(bytesWord((sh.mem.word(bucket).Load()&offsetMask-sh.units)/unitSize + 1))
	}},
	{"value that is another's", func(sh *shard, _ uint64, e *entry) {
		e.word.Store(sh.mem.entry(e.link.Load() & offsetMask).word.Load())
	}},
	{"extent that does not end", func(sh *shard, _ uint64, e *entry) {
		off, _, _ := sh.extentAt(bodyOf(e.word.Load()))
		sh.mem.word(off).Store(maxExtent<<extentUnitsShift | bodyOf(e.word.Load()))
	}},
	{"extent of no units", func(sh *shard, _ uint64, e *entry) {
		off, _, _ := sh.extentAt(bodyOf(e.word.Load()))
		sh.mem.word(off).Store(0)
	}},
	{"key that goes on outside", func(sh *shard, _ uint64, e *entry) {
		e.meta.Store(e.meta.Load()&metaKeyMask | (sh.unitsN+1)<<metaTail)
	}},
}

// woundedBucket puts three keys into one bucket of shard 0, and tells which and
// where. The head of the chain is the last of them.
func woundedBucket(t *testing.T, s *Store) (keys [][]byte, bucket uint64, head *entry) {
	t.Helper()
	sh := &s.region.shards[0]
	by := map[uint64][][]byte{}
	for i := 0; len(keys) < 3; i++ {
		key := []byte{'w', byte(i), byte(i >> 8), byte(i >> 16)}
		var k target
		k.aim(key, s.seed)
		if b := k.bucket(len(sh.buckets)); s.shardOf(&k) == sh {
			by[b] = append(by[b], key)
			keys, bucket = by[b], sh.bucketOff(b)
		}
	}
	for i, key := range keys {
		if _, err := s.Put(key, Put{Value: BytesValue(bytes.Repeat([]byte{byte(i + 1)}, 100))}); err != nil {
			t.Fatal(err)
		}
	}
	return keys, bucket, sh.mem.entry(sh.mem.word(bucket).Load() & offsetMask)
}

// A shard that cannot be made whole is reported by every recovery, not only the
// first, and its lock keeps the name of the one who died with it.
func TestFailedRepairIsFoundAgain(t *testing.T) {
	for _, w := range deepWounds {
		t.Run(w.name, func(t *testing.T) {
			r, err := Create(filepath.Join(t.TempDir(), "region"), Geometry{Size: MinSize, Slots: 2})
			if err != nil {
				t.Fatal(err)
			}
			_, worker := attached(t, r)
			keys, bucket, head := woundedBucket(t, worker)
			sh := holdLock(worker, string(keys[0]))
			w.do(sh, bucket, head)
			path := r.path
			worker.region.Close()
			r.Close()
			for start := range 3 {
				r, err := Open(path)
				if err != nil {
					t.Fatal(err)
				}
				if _, _, err := r.AttachMaster(false); !errors.Is(err, ErrCorrupt) {
					t.Errorf("start %d: %v", start, err)
				}
				if held := r.shards[0].header.lock.Load(); held&^waiters != worker.owner {
					t.Errorf("start %d: the lock is %#x, the dead worker's is %#x", start, held, worker.owner)
				}
				if start == 0 && len(r.Check().Violations) == 0 {
					t.Error("Check finds nothing")
				}
				r.Close()
			}
		})
	}
}

// Whatever is done to a shard that is damaged, nothing outside of it is written,
// and the others go on.
func TestDamageStaysInItsShard(t *testing.T) {
	for _, w := range deepWounds {
		t.Run(w.name, func(t *testing.T) {
			r, err := NewHeap(Geometry{Size: 16 << 20, Slots: 2})
			if err != nil {
				t.Fatal(err)
			}
			_, s := attached(t, r)
			sh := &r.shards[0]
			keys, bucket, head := woundedBucket(t, s)
			w.do(sh, bucket, head)
			end := sh.start + r.sb.shardSize
			before, after := bytes.Clone(r.bytes[:sh.start]), bytes.Clone(r.bytes[end:])
			if r.Check().OK() {
				t.Error("Check finds nothing")
			}
			note := func(err error) {
				if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNotFound) {
					t.Error(err)
				}
			}
			for _, key := range keys {
				_, err := s.Read(nil, key)
				note(err)
			}
			for _, key := range keys {
				_, err := s.Put(key, Put{Value: BytesValue(make([]byte, 200))})
				note(err)
				_, err = s.SetTTL(key, patience, Condition{})
				note(err)
				note(s.Remove(key, Condition{}))
			}
			_, _, err = s.Scan(nil, nil, nil, 100)
			note(err)
			if !bytes.Equal(before, r.bytes[:sh.start]) || !bytes.Equal(after, r.bytes[end:]) {
				t.Error("bytes outside the shard were changed")
			}
			for i := range 100 {
				var k target
				key := []byte{'o', byte(i)}
				if k.aim(key, s.seed); s.shardOf(&k) == sh {
					continue
				}
				if _, err := s.Add(key, 1, 0); err != nil {
					t.Errorf("in another shard: %v", err)
				}
			}
		})
	}
}

// Whoever gets to a name first in everybody's directory does not get our counts.
func TestOpenRefusesWhatOthersMayWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "region")
	r, err := Create(path, Geometry{Size: MinSize, Slots: 1})
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); !errors.Is(err, ErrNotPrivate) {
		t.Errorf("mode 0666: %v", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(path, 12345, -1); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); !errors.Is(err, ErrNotPrivate) {
			t.Errorf("another user's: %v", err)
		}
	}
}
