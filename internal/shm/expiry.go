package shm

import "time"

// An entry's expiry is a moment of the host's monotonic clock, which every
// process reads alike and nobody sets: ms in the low 44 bits (five centuries),
// 0 for never. The bits above check it and the version together, so that damage
// to either is seen.
const (
	expiryBits = 44
	expiryMask = 1<<expiryBits - 1
)

// now is the clock of everything that is shared: ms.
func now() uint64 { return uint64(nanotime()) / 1e6 }

func packExpiry(ms, version uint64) uint64 {
	return fold(ms^mulC, version^mulB)<<expiryBits | ms
}

// expires says whether the entry ends some day.
func (f *found) expires() bool { return f.expiry&expiryMask != 0 }

// expired says whether the entry has ended. The clock is read for entries alone
// that expire.
func (f *found) expired(r *Region) bool {
	at := f.expiry & expiryMask
	return at != 0 && at <= r.clock()
}

// left is the time to live, 0 for ever.
func (f *found) left(r *Region) time.Duration {
	at := f.expiry & expiryMask
	if at == 0 {
		return 0
	}
	return time.Duration(max(int64(at-r.clock()), 1)) * time.Millisecond
}

// maxTTL keeps a moment within its bits, whenever the host was started.
const maxTTL = 100 * 365 * 24 * time.Hour

// moment is when something ends that lives for ttl from now, 0 for ever.
func (r *Region) moment(ttl time.Duration) uint64 {
	if ttl <= 0 {
		return 0
	}
	ttl = min(ttl, maxTTL)
	return r.clock() + uint64((ttl+time.Millisecond-1)/time.Millisecond)
}
