// Package shm is the region: one mapped file that every process of a host
// reads and writes keys in, with the rules that keep it whole whichever process
// dies where.
//
// # Layout
//
// Little-endian words, 8-byte aligned, addressed by their offset from the
// start of the file; offset 0 is nil. Nothing in it is a pointer.
//
//	part         size                     writer            order
//	superblock   4096                     Create            whole before the file has a name; never changed
//	scoreboard   192 x (workers+masters)  see below         one atomic word each
//	meters       1024 x workers           slot's worker     one atomic word each; none is ever taken back
//	shards       shardSize x shards       shard's lock      see One change; counters by compare-and-swap alone
//
// One slot of the scoreboard:
//
//	offset  size  field        writer
//	0       8     control      master   generation<<32 | phase: free, claimed, live
//	8       8     owner        master   the claiming master: slot<<32 | generation
//	16      8     pid          master   for people and logs; identity is slot + generation
//	24      8     started      master   ms since 1970, for people
//	32      8     spawns       master   processes this slot has had
//	40      8     deaths       master   those of them that ended and were not told to
//	64      8     state        worker   starting, ready, draining; a master's: not yet, now, no longer in charge of its listeners
//	72      8     beat         worker   ms of the host's monotonic clock
//	80      8     memory       worker   bytes
//	88      8     cpu          worker   ns; goes on from what the slot's processes have used before
//	128     8     connections  worker   open now
//
// The meters of one worker's slot, counted since the region was created:
//
//	offset  size    field       what
//	0       24 x 32 answers     by kind and outcome; before the answer is sent
//	768     24 x 8  latency     answers by the bucket of their time
//	960     8       latencySum  ns
//	968     8       accepted    connections
//	976     8 x 2   received,   bytes
//	                sent
//	992     8 x 2   hits,       reads of keys that were there, and that were not
//	                misses
//	1008    8       full        changes refused for want of room
//
// One shard. The key's hash picks the shard; all that belongs to a key lives
// in it, so that locking, recovery and checking are local. Its memory is units
// of 32 bytes, two of them a line. Any free unit serves any key or value.
//
//	offset  size       field       writer         order
//	0       4          lock        lock holder    compare-and-swap 0 -> owner; swap -> 0
//	8       8          versions    lock holder    numbers given to writes; before the write is linked
//	16      8          entries     lock holder    derived
//	24      8          expiring    lock holder    derived: entries that have an expiry
//	32      8          used        lock holder    derived: units
//	40      8          clockHand   lock holder    hint: bucket where eviction goes on
//	48      8          carried     CopyTo         versions + carried are the writes, those before the region grew included
//	64      8          seq         lock holder    moves on after an entry is unlinked, before its units are free
//	128     8 x 8      statistics  see shardHeader; lock holder, sweeps by anybody
//	192     8 x n      buckets     lock holder    one store each: tag<<48 | offset of an entry
//	...     units/8    bitmap      lock holder    derived: 1 for a unit in use
//	...     lines/8    marks       anybody        hint: 1 for an entry that was used since the clock's hand passed
//	...     32 x n     units       see entry and extent
//
// What is derived follows from the entries that hang in the buckets. It is the
// lock holder's own notebook: whoever recovers a dead holder makes it anew.
//
// One entry: a line. The key's bytes beyond 16 are in a chain of extents.
//
//	offset  size  field    writer         order
//	0       8     word     anybody        see word.go; a counter is changed by compare-and-swap
//	8       8     link     lock holder    one store; next in the bucket: tag<<48 | offset
//	16      8     wide     lock holder    of an integer beyond 44 bits the value, of others 0; of bytes crc<<32 | length
//	24      8     meta     lock holder    before the entry is linked: tail<<32 | hash<<10 | key length
//	32      8     expiry   lock holder    one store; check<<44 | ms of the host's monotonic clock, 0 never
//	40      8     version  lock holder    before the entry is linked
//	48      16    key      lock holder    before the entry is linked; zero padded
//
// One extent: 1 to 48 units in a row. tail, body and next are the number of an
// extent's first unit, plus 1; 0 ends the chain.
//
//	offset  size        field   writer         order
//	0       8           header  lock holder    before its entry is linked: high<<38 | units<<32 | next
//	8       32 x n - 8  data    lock holder    before its entry is linked; zero padded to 8
//
// Types are stable where it matters: only the first word of a line is ever
// swapped by somebody without the lock, and only from a value with bit 63 set.
// No other first word of a line has that bit: a free or dead one has not, an
// extent's header has not, and the data of an extent keeps the bit of each word
// that begins a line in high, in its order. So memory goes from entries to data
// and back at once, and whoever comes late with a swap is refused.
//
// # One change
//
// Adding to a counter that exists takes no lock: find the entry while seq is
// unchanged, then compare-and-swap its word. The word carries a generation, so
// an entry that was recycled in between refuses the swap.
//
// All else is done by the holder of the shard's lock, and has one store that
// makes it so. A death before that store leaves the state before, a death after
// it the state after.
//
//	insert   1 take units   2 fill them              3 link: one store
//	replace  1 take units   2 fill them   freeze*    3 link in place of the old: one store
//	                                                 4 kill the old   5 seq   6 give its units back
//	remove                                           3 kill: one store or swap
//	                                                 4 unlink         5 seq   6 give its units back
//
// (* A counter in one word is made one in two words, of the same value, which
// nobody adds to without the lock.)
//
//	dead in 1, 2  the bitmap has units in use that no entry reaches
//	dead in 4     a dead entry is linked, or a live one is not
//	dead in 5, 6  units that no entry reaches
//
// Recover makes all of it whole in one way: it walks the buckets, unlinks what
// is dead, counts what is there, and writes the bitmap anew. It moves seq on, so
// that readers who are still at what was there before find out, and then kills
// every first word of a line that it did not reach.
//
// Readers take no lock. A walk of a bucket is good if seq is the same before
// and after. The value's bytes are copied out of their extents, and are good if
// seq is the same after it, too: no unit was given back. If it is not, the key
// is looked up anew. It has the entry that it had when the version is the same,
// which is given out once, and the bytes of an entry never change.
//
// # Identity
//
// A process is a slot of the scoreboard and a generation, never a pid. A lock
// word names its holder so. Recover(slot, generation) alone takes a lock away,
// and is called for a process that was reaped, or whose byte lock on its slot
// (on an open file description of its own) is gone with it.
package shm
