// Package shm is the region: one mapped file that every process of a host
// counts in, with the rules that keep it whole whichever process dies where.
//
// # Layout
//
// Little-endian words, 8-byte aligned, addressed by their offset from the
// start of the file; offset 0 is nil. Nothing in it is a pointer.
//
//	part         size                     writer            order
//	superblock   4096                     Create            whole before the file has a name; never changed
//	scoreboard   256 x (workers+masters)  see below         one atomic word each
//	arguments    128 + 2 x 65600          arguments' lock   fill the idle buffer, publish by one store
//	shards       shardSize x shards       shard's lock      redo record; counters by compare-and-swap alone
//
// One slot of the scoreboard:
//
//	offset  size  field        writer
//	0       8     control      master   generation<<32 | phase: free, claimed, live
//	8       8     owner        master   the claiming master: slot<<32 | generation
//	16      8     pid          master   for people and logs; identity is slot + generation
//	24      8     started      master   ms since 1970, for people
//	32      8     spawns       master   processes this slot has had
//	64      8     state        worker   starting, ready, draining
//	72      8     beat         worker   ms since boot
//	80      8     memory       worker   bytes
//	128     8     requests     worker   of this slot since the region was created
//	136     8     errors       worker   likewise
//	144     8     connections  worker   open now
//
// One shard. The key's hash picks the shard; all that belongs to a key lives
// in it, so that locking, recovery and checking are local.
//
//	offset     size        field     writer            order
//	0          4           lock      lock holder       compare-and-swap 0 -> owner; swap -> 0
//	64         8           seq       lock holder       odd while a redo record is applied
//	128        8           entries   lock holder       redo record
//	136        8           fresh     lock holder       redo record; slabs ever taken
//	144        8           pool      lock holder       redo record; slab+1, linked by slab.links
//	152        8           waits     lock holder       times somebody slept for the lock
//	160        8           repairs   recoverer         times a dead holder's work was finished
//	192        256         partial   lock holder       redo record; slab+1 with a free item, by class
//	448        8           state     lock holder       pairs<<32 | crc: the commit point
//	456        496         pairs     lock holder       before state
//	1024       8 x n       buckets   lock holder       redo record; tag<<48 | offset of an entry
//	...        16 x n      slabs     lock holder       redo record; see slab
//	4096 | ..  4096 x n    items     see entry
//
// One entry, an item of a slab of an entry class: one line of 64 bytes, or
// several. Entries are type-stable: the first word of every line is a counter's
// word or a dead one, whatever class the slab has and had, so a word stays a
// word whatever a slow reader believes. Those of the second line and on are
// never touched; the key goes around them.
//
//	offset  size  field   writer             order
//	0       8     word    anybody            kind<<62 | generation<<44 | 44-bit value: compare-and-swap
//	8       8     link    lock holder        redo record; next in bucket, or next free item+1
//	16      8     wide    lock holder        one store; the value where 44 bits do not hold it (for byte values: version)
//	24      8     meta    lock holder        before the entry is linked: hash<<32 | key length
//	32      8     expiry  lock holder        reserved for time to live: ms since boot, 0 never
//	40      8     body    lock holder        reserved for byte values: offset of the first block
//	48      16    key     lock holder        before the entry is linked; zero padded to 8
//	64      8     -       nobody             another line's word, dead
//	72      56    key     lock holder        the next bytes of the key; and so on by lines
//
// # One operation
//
// Adding to a counter that exists takes no lock: find the entry while seq is
// even and unchanged, then compare-and-swap its word. The word carries its
// generation, so an entry that was recycled in between refuses the swap.
//
// Changing the structure (insert, delete) is done by the holder of the shard's
// lock in five steps, and a death after any store of them leaves a state that
// Recover makes whole:
//
//  1. fill an item that is still free           dead here: a free item holds rubbish, as it may
//  2. write the pairs (offset, word)            dead here: nobody reads them
//  3. state = pairs<<32 | crc, the commit       dead here: Recover applies the pairs
//  4. seq odd; apply the pairs in order         dead here: Recover applies them again, to the same end
//  5. state = 0; seq even; unlock; wake         dead here: Recover evens seq, frees the lock, wakes everybody
//
// state is cleared before seq is even: from the moment seq is even others add
// to the new entry without the lock, and a replay must never undo that. (Today
// no pair stores a counter's word, so the order is a margin; a pair that did
// would lean on it.) The
// one pair that is not absolute is the kill, which marks a counter's word dead
// where it still has the generation it was meant for.
//
// # Identity
//
// A process is a slot of the scoreboard and a generation, never a pid. A lock
// word names its holder so. Recover(slot, generation) alone takes a lock away,
// and is called for a process that was reaped, or whose byte lock on its slot
// (on an open file description of its own) is gone with it.
package shm
