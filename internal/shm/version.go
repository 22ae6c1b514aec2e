package shm

import (
	"math"
	"strconv"
)

// Version names one state of one key. It is never used twice for a key, not
// across a delete, nor by the regions that follow each other at one path. The
// zero Version is that of a key that is absent.
//
// Entry is a number that each shard counts up from the nanosecond in which the
// region was created, one for each write. A counter is also added to in place:
// Value grows within one Generation, and what does not let it grow moves the
// generation on, which ends in another Entry before it comes round.
type Version struct {
	Entry      uint64
	Generation uint32
	Value      int64
}

// Append writes the version in hexadecimal: its entry, and for a counter
// "-generation-value".
func (v Version) Append(dst []byte) []byte {
	dst = strconv.AppendUint(dst, v.Entry, 16)
	if v.Generation == 0 {
		return dst
	}
	dst = append(dst, '-')
	dst = strconv.AppendUint(dst, uint64(v.Generation), 16)
	dst = append(dst, '-')
	return strconv.AppendUint(dst, uint64(v.Value), 16)
}

// ParseVersion reads what Append wrote, and nothing else.
func ParseVersion(text []byte) (v Version, ok bool) {
	entry, rest, counter := cut(text)
	var generation, value uint64
	if v.Entry, ok = parseHex(entry); !ok || v.Entry == 0 || !counter {
		return v, ok && v.Entry != 0
	}
	first, rest, two := cut(rest)
	generation, ok = parseHex(first)
	if !ok || !two || generation == 0 || generation > math.MaxUint32 {
		return Version{}, false
	}
	if value, ok = parseHex(rest); !ok {
		return Version{}, false
	}
	v.Generation, v.Value = uint32(generation), int64(value)
	return v, true
}

func cut(text []byte) (before, after []byte, found bool) {
	for i, c := range text {
		if c == '-' {
			return text[:i], text[i+1:], true
		}
	}
	return text, nil, false
}

// parseHex reads 1 to 16 lower-case digits without leading zeros, but "0".
func parseHex(text []byte) (n uint64, ok bool) {
	if len(text) < 1 || len(text) > 16 || text[0] == '0' && len(text) > 1 {
		return 0, false
	}
	for _, c := range text {
		switch {
		case '0' <= c && c <= '9':
			n = n<<4 | uint64(c-'0')
		case 'a' <= c && c <= 'f':
			n = n<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return n, true
}
