package shm

import (
	"bytes"
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strconv"
	"time"
)

// Key is a key as a scan finds it.
type Key struct {
	Key     []byte
	Integer bool
	Bytes   int           // length of the value; of an integer its decimal digits and sign
	First   byte          // the value's first byte, 0 for an integer and for no bytes
	TTL     time.Duration // left to live, 0: does not expire
}

// scanBuckets is how many buckets one call of Scan looks at, at the most.
const scanBuckets = 1 << 16

// Scan appends up to limit keys that begin with prefix to dst, going on at a
// cursor, or from the beginning at an empty one. next is where to go on, nil at
// the end of the walk. A call may return fewer keys than limit, or none, and a
// next: it looks at a bounded number of places.
//
// It takes no lock that would stop a writer for longer than a lookup does. A key
// that is there from the beginning of a walk to its end is returned: once, but
// that two keys with one 64-bit hash may come beyond limit. Keys that come or
// go meanwhile may be returned or not. Errors: ErrCursor, ErrCorrupt.
func (s *Store) Scan(dst []Key, prefix, cursor []byte, limit int) (keys []Key, next []byte, err error) {
	at, err := s.parseCursor(cursor)
	if err != nil {
		return dst, nil, err
	}
	keys = dst
	var bucket []scanned
	end := uint64(len(s.region.shards)) * s.region.sb.buckets
	for looked := 0; at.bucket < end; looked++ {
		if looked == scanBuckets {
			return keys, s.appendCursor(nil, at), nil
		}
		if bucket, err = s.readBucket(bucket[:0], at.bucket, prefix); err != nil {
			return keys, nil, err
		}
		came := at
		for _, f := range bucket {
			if came.within && f.hash <= came.hash {
				continue // of an earlier call
			}
			if len(keys)-len(dst) >= limit && !(at.within && f.hash == at.hash) {
				return keys, s.appendCursor(nil, at), nil
			}
			keys = append(keys, f.Key)
			at.hash, at.within = f.hash, true
		}
		at = position{bucket: at.bucket + 1}
	}
	return keys, nil, nil
}

// position is a place between two keys: before the first of a bucket or, within
// it, behind the key with a hash. The number of buckets never changes.
type position struct {
	bucket uint64 // over all shards
	within bool
	hash   uint64
}

// A cursor is a position, encrypted and in hexadecimal: who knew the hash of a
// key that he chose could find the seed, and aim keys at one bucket.
const (
	cursorWithin = 1 << 63 // beside the bucket
	cursorBytes  = aes.BlockSize
)

func cursorCipher(sb *superblock) cipher.Block {
	secret := binary.LittleEndian.AppendUint64([]byte("cursor"), sb.hashSeed)
	key := sha256.Sum256(binary.LittleEndian.AppendUint64(secret, sb.instance))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // not for a key of 32 bytes
	}
	return block
}

func (s *Store) appendCursor(dst []byte, p position) []byte {
	var block [cursorBytes]byte
	bucket := p.bucket
	if p.within {
		bucket |= cursorWithin
	}
	binary.LittleEndian.PutUint64(block[:], bucket)
	binary.LittleEndian.PutUint64(block[8:], p.hash)
	s.cursors.Encrypt(block[:], block[:])
	return hex.AppendEncode(dst, block[:])
}

func (s *Store) parseCursor(text []byte) (p position, err error) {
	if len(text) == 0 {
		return p, nil
	}
	var block [cursorBytes]byte
	if len(text) != hex.EncodedLen(len(block)) {
		return p, ErrCursor
	}
	if _, err := hex.Decode(block[:], text); err != nil {
		return p, ErrCursor
	}
	s.cursors.Decrypt(block[:], block[:])
	p.bucket, p.hash = binary.LittleEndian.Uint64(block[:]), binary.LittleEndian.Uint64(block[8:])
	p.within = p.bucket&cursorWithin != 0
	p.bucket &^= cursorWithin
	if p.bucket >= uint64(len(s.region.shards))*s.region.sb.buckets || !p.within && p.hash != 0 {
		return p, ErrCursor
	}
	return p, nil
}

type scanned struct {
	Key
	hash uint64
}

// readBucket appends a bucket's keys in the order of their hashes.
func (s *Store) readBucket(dst []scanned, bucket uint64, prefix []byte) ([]scanned, error) {
	sh := &s.region.shards[bucket/s.region.sb.buckets]
	head := sh.bucketOff(bucket % s.region.sb.buckets)
	for range readTries {
		seq := sh.header.seq.Load()
		all, ok := s.walkBucket(dst, sh, head, prefix)
		if ok && sh.header.seq.Load() == seq {
			return sorted(all), nil
		}
	}
	if err := s.lock(sh); err != nil {
		return dst, err
	}
	unpin() // what is found is allocated; the lock is held for one bucket
	all, ok := s.walkBucket(dst, sh, head, prefix)
	pin()
	s.unlock(sh)
	if !ok {
		return dst, errChain
	}
	return sorted(all), nil
}

func sorted(all []scanned) []scanned {
	slices.SortFunc(all, func(a, b scanned) int { return cmp.Compare(a.hash, b.hash) })
	return all
}

// walkBucket is not ok when it met what a change leaves, or damage.
func (s *Store) walkBucket(dst []scanned, sh *shard, head uint64, prefix []byte) (all []scanned, ok bool) {
	all = dst
	var buffer [MaxKey]byte
	link := sh.mem.word(head).Load()
	for steps := sh.unitsN; link != 0; steps-- {
		off := link & offsetMask
		if steps == 0 || !sh.isLine(off) {
			return dst, false
		}
		var f found
		f.read(sh.mem.entry(off), off)
		key, ok := sh.copyKey(buffer[:0], f.e)
		if !ok || kindOf(f.word) == kindDead {
			return dst, false
		}
		if len(key) > 0 && bytes.HasPrefix(key, prefix) && !f.expired(s.region) {
			of := scanned{Key: Key{Key: bytes.Clone(key), TTL: f.left(s.region)}}
			of.hash, _ = hashKey(key, s.seed)
			if kindOf(f.word) == kindBytes {
				var first [1]byte
				if of.Bytes = int(f.length()); of.Bytes > 0 && !sh.copyOut(first[:], bodyOf(f.word)) {
					return dst, false
				}
				of.First = first[0]
			} else {
				if kindOf(f.word) == kindWide && (f.wide == 0 || f.e.word.Load() != f.word) {
					return dst, false // narrow by now, and its second word cleared
				}
				of.Integer, of.Bytes = true, len(strconv.AppendInt(nil, f.integer(), 10))
			}
			all = append(all, of)
		}
		link = f.e.link.Load()
	}
	return all, true
}

// copyKey appends an entry's key to dst, within its capacity of MaxKey.
func (sh *shard) copyKey(dst []byte, e *entry) (key []byte, ok bool) {
	meta := e.meta.Load()
	n := meta & metaLenMask
	if n > MaxKey {
		return dst, false
	}
	key = dst[:n]
	for i := range e.key {
		w := e.key[i].Load()
		for j := i * 8; j < min(int(n), i*8+8); j++ {
			key[j] = byte(w >> (j % 8 * 8))
		}
	}
	return key, n <= keyInline || sh.copyOut(key[keyInline:], meta>>metaTail)
}

// removePage keys are found before they are removed.
const removePage = 256

// RemovePrefix removes every key that begins with prefix, all keys for an empty
// one, and tells how many. Each is removed on its own; one that is written
// meanwhile may stay. Errors: ErrCorrupt.
func (s *Store) RemovePrefix(prefix []byte) (n int, err error) {
	var page []Key
	var cursor []byte
	for {
		if page, cursor, err = s.Scan(page[:0], prefix, cursor, removePage); err != nil {
			return n, err
		}
		for _, k := range page {
			switch err := s.Remove(k.Key, Condition{}); err {
			case nil:
				n++
			case ErrNotFound: // somebody was faster
			default:
				return n, err
			}
		}
		if cursor == nil {
			return n, nil
		}
	}
}
