package shm

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

// entry verifies one entry that hangs in bucket b.
func (c *shardCheck) entry(b, off, tag uint64) {
	key, ok := c.key(off)
	if !ok {
		return
	}
	for _, other := range c.chained {
		if bytes.Equal(key, other) {
			c.violate(off, "key %q is there twice", key)
		}
	}
	c.chained = append(c.chained, key)
	var k target
	k.aim(key, c.sb.hashSeed)
	if home := k.hash >> shardShift(c.sb.shards); k.bucket(len(c.shard.buckets)) != b || home != uint64(c.shard.index) {
		c.violate(off, "key %q is not where its hash leads", key)
	}
	if tag != k.tag() || c.at(off+metaAt)&metaKeyMask != k.meta {
		c.violate(off, "key %q does not match its tag or its meta word", key)
	}
	if len(key) > 0 {
		c.entries++
	}
	c.numbers(off)
	c.value(off)
}

const (
	wideAt = 16 // in entry
	metaAt = 24
)

// key reads an entry's key and verifies where it is kept.
func (c *shardCheck) key(off uint64) (key []byte, ok bool) {
	meta := c.at(off + metaAt)
	n, ref := meta&metaLenMask, meta>>metaTail
	if n > MaxKey {
		c.violate(off+metaAt, "a key of %d bytes, at most %d are possible", n, MaxKey)
		return nil, false
	}
	begin := len(c.keys)
	for i := range uint64(keyWords) {
		c.keys = binary.LittleEndian.AppendUint64(c.keys, c.at(off+keyAt+i*8))
	}
	key = c.keys[begin:]
	for _, b := range key[min(n, keyInline):] {
		if b != 0 {
			c.violate(off+keyAt, "a key is not padded with zeros")
			break
		}
	}
	if n <= keyInline {
		if ref != 0 {
			c.violate(off+metaAt, "a key of %d bytes has more of them elsewhere", n)
		}
		return key[:n], true
	}
	if c.keys, ok = c.chain(c.keys, off, ref, n-keyInline); !ok {
		return nil, false
	}
	return c.keys[begin:], true
}

// numbers verifies the version and the expiry.
func (c *shardCheck) numbers(off uint64) {
	version, expiry := c.at(off+versionAt), c.at(off+expiryAt)
	if base := uint64(c.sb.createdAt); version <= base || version > base+c.at(c.shard.start+versionsAt) {
		c.violate(off+versionAt, "version %d was never given", version)
	}
	if c.versions[version] {
		c.violate(off+versionAt, "version %d is there twice", version)
	}
	c.versions[version] = true
	if expiry != packExpiry(expiry&expiryMask, version) {
		c.violate(off+expiryAt, "expiry and version do not match")
	}
	if expiry&expiryMask != 0 {
		c.expiring++
	}
}

// value verifies the word and what it leads to.
func (c *shardCheck) value(off uint64) {
	w, wide := c.at(off), c.at(off+wideAt)
	switch kindOf(w) {
	case kindNarrow:
		if wide != 0 && !c.held { // Recover clears it
			c.violate(off, "a narrow counter with a value in its second word")
		}
	case kindWide:
		if w != wideWord(genOf(w)) {
			c.violate(off, "a wide counter whose word says more than its generation")
		}
	case kindBytes:
		n := wide & refMask
		if w != bytesWord(bodyOf(w)) || n > c.shard.unitsN*unitSize {
			c.violate(off, "bytes that begin nowhere, or %d of them", n)
			return
		}
		var ok bool
		c.data, ok = c.chain(c.data[:0], off, bodyOf(w), n)
		if ok && uint64(crc32.Checksum(c.data, castagnoli)) != wide>>32 {
			c.violate(off, "a value of %d bytes does not match its checksum", n)
		}
	case kindDead:
		if !c.held { // Recover unlinks it
			c.violate(off, "a dead entry is linked")
		}
	default:
		c.violate(off, "an entry of kind %d, which there is not", kindOf(w))
	}
}

// chain appends the n bytes of a chain that belongs to an entry to dst, and
// verifies that it holds them and nothing else.
func (c *shardCheck) chain(dst []byte, entry, ref, n uint64) (data []byte, ok bool) {
	sh := c.shard
	for n > 0 {
		if ref == 0 || ref > sh.unitsN {
			c.violate(entry, "%d bytes are missing: the next extent is %d", n, ref)
			return dst, false
		}
		off := sh.units + (ref-1)*unitSize
		header := c.at(off)
		units := extentUnits(header)
		if units < 1 || units > maxExtent || units > sh.unitsN-(ref-1) || header>>62 != 0 {
			c.violate(off, "an extent of %d units", units)
			return dst, false
		}
		if !c.claim(off, units, entry) {
			c.violate(off, "an extent in use already")
			return dst, false
		}
		high := header >> extentHighShift
		for at := off + 8; at < off+units*unitSize; at += 8 {
			w := c.at(at)
			if at%lineSize == 0 {
				if w>>63 != 0 {
					c.violate(at, "a line of data begins as a counter does")
				}
				w |= high << 63
				high >>= 1
			}
			var word [8]byte
			binary.LittleEndian.PutUint64(word[:], w)
			more := min(n, 8)
			dst, n = append(dst, word[:more]...), n-more
			if more < 8 && w>>(8*more) != 0 {
				c.violate(at, "data is not padded with zeros")
				return dst, false
			}
			if n == 0 && at+8 < off+units*unitSize-(unitSize-8) {
				c.violate(off, "an extent is longer than its data")
				return dst, false
			}
		}
		if high != 0 {
			c.violate(off, "an extent has more high bits than lines")
		}
		ref = header & refMask
	}
	if ref != 0 {
		c.violate(entry, "a chain goes on behind its data, at %d", ref)
		return dst, false
	}
	return dst, true
}
