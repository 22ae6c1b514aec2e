//go:build crashpoints

package shm

import (
	"fmt"
	"math"
	"strings"
)

// colliding returns n keys of the given length that share a shard and bucket
// in a region of the crash tests' geometry.
func colliding(n, length int) []string {
	sb, err := crashGeometry.plan()
	if err != nil {
		panic(err)
	}
	by := map[[2]uint64][]string{}
	for i := 0; ; i++ {
		key := fmt.Sprintf("%0*d", length, i)
		var k target
		k.aim([]byte(key), crashSeed)
		at := [2]uint64{k.hash >> shardShift(sb.shards), k.bucket(int(sb.buckets))}
		if by[at] = append(by[at], key); len(by[at]) == n {
			return by[at]
		}
	}
}

const (
	wide       = math.MaxInt64 - 10
	oneExtent  = maxExtent*unitSize - 8 // bytes
	lifetime   = 500                    // ms
	fullRegion = 32 << 10
)

func crashScenarios() []scenario {
	all := scenariosOfBytes()
	all = append(all, scenariosOfCounters()...)
	all = append(all, scenariosOfLife()...)
	return append(all, scenariosOfRoom()...)
}

func scenariosOfBytes() []scenario {
	c := colliding(3, 12)
	long := strings.Repeat("k", MaxKey)
	middling := strings.Repeat("m", keyInline+1)
	a100, b100 := text('a', 100), text('b', 100)
	three := prepared(putBytes(c[0], a100), set(c[1], 2), putBytes(c[2], b100))
	return []scenario{
		{"put new", nil, []step{putBytes("a", a100), putBytes("b", b100)}},
		{"put empty", nil, []step{putBytes("a", ""), putBytes("a", "12345"), putBytes("a", ""), remove("a")}},
		{"one unit, two units", nil, []step{putBytes("a", text(1, 24)), putBytes("a", text(2, 25)), putBytes("a", text(3, 24))}},
		{"same size", prepared(putBytes("a", a100)), []step{putBytes("a", b100), putBytes("a", a100)}},
		{"smaller", prepared(putBytes("a", text(1, 900))), []step{putBytes("a", a100)}},
		{"larger", prepared(putBytes("a", a100)), []step{putBytes("a", text(1, 900))}},
		{"one extent", prepared(putBytes("a", a100)), []step{putBytes("a", text(1, oneExtent)), putBytes("a", text(2, oneExtent))}},
		{"two extents", prepared(putBytes("a", a100)), []step{putBytes("a", text(1, oneExtent+1)), putBytes("a", text(2, oneExtent+1)), remove("a")}},
		{"all ones", prepared(putBytes("a", strings.Repeat("\xff", 700))), []step{remove("a"), putBytes("b", strings.Repeat("\xff", 701)), set("c", 1), remove("b")}},
		{"over its own memory", prepared(putBytes("a", a100), putBytes("b", b100)), []step{
			handsAt(0, 0), remove("a"), putBytes("c", b100), handsAt(0, 0), putBytes("b", a100), handsAt(0, 0), putBytes("c", a100),
		}},
		{"value to entry and back", prepared(putBytes("a", text('x', 300))), []step{
			remove("a"), handsAt(0, 0), set("b", 1), set("c", 2), set("d", 3), addTo("b", 1),
			remove("b"), remove("c"), handsAt(0, 0), putBytes("a", text('y', 300)),
		}},
		{"long value", func(b *builder) {
			b.do(putBytes("a", text(1, 3000)))
		}, []step{{
			name: "no hold was timed yet",
			do: func(s *Store) error {
				for i := range s.region.shards {
					s.region.shards[i].header.longestHold.Store(0)
				}
				return nil
			},
			model: func(*world) {},
		}, putBytes("a", text(2, longValue))}},
		{"longest key", nil, []step{putBytes(long, a100), putBytes(long, b100), remove(long)}},
		{"long keys", prepared(putBytes(long, a100), putBytes(long[:511]+"x", b100), set(middling, 1)), []step{
			putBytes(long[:511]+"x", a100), set(long, 1), remove(middling), putBytes(middling, ""),
		}},
		{"chain grows", prepared(putBytes(c[0], a100), putBytes(c[1], b100)), []step{putBytes(c[2], a100)}},
		{"head of chain", three, []step{remove(c[2])}},
		{"middle of chain", three, []step{remove(c[1])}},
		{"end of chain", three, []step{remove(c[0])}},
		{"head of chain again", three, []step{putBytes(c[2], a100), set(c[2], 4)}},
		{"middle of chain again", three, []step{putBytes(c[1], a100), set(c[1], 4)}},
		{"end of chain again", three, []step{putBytes(c[0], b100), set(c[0], 4)}},
		{"whole chain", three, []step{remove(c[1]), remove(c[2]), remove(c[0]), putBytes(c[1], a100), putBytes(c[2], a100)}},
		{"delete and create", prepared(putBytes("a", a100)), []step{remove("a"), putBytes("a", a100), remove("a"), set("a", 1)}},
		{"conditions", prepared(putBytes("a", a100), set("n", 1)), []step{
			putIf("a", bytesCell(b100), onMatch("a")), putIf("a", bytesCell(a100), onStale).refused(ErrCondition),
			putIf("a", bytesCell(a100), onAbsent).refused(ErrCondition), putIf("b", bytesCell(a100), onAbsent),
			putIf("c", bytesCell(a100), onPresent).refused(ErrCondition), putIf("b", bytesCell(b100), onPresent),
			putIf("n", bytesCell(a100), onMatch("n")),
		}},
		{"conditions on removal", prepared(putBytes("a", a100), set("n", 1)), []step{
			removeIf("a", onStale).refused(ErrCondition), removeIf("a", onMatch("a")), removeIf("a", onPresent).refused(ErrCondition),
			remove("a").refused(ErrNotFound), removeIf("n", onStale).refused(ErrCondition), removeIf("n", onMatch("n")),
		}},
		{"first arguments", nil, []step{setArgs(`{"a":1}`)}},
		{"arguments again", prepared(setArgs(`{"a":1}`), setArgs(text(1, 500))), []step{setArgs(`{"c":[3,3,3,3]}`), setArgs(text(2, 700)), setArgs("")}},
	}
}

func scenariosOfCounters() []scenario {
	c := colliding(3, 12)
	long := strings.Repeat("k", MaxKey)
	ints := prepared(set(c[0], 1), set(c[1], 2), set(c[2], 3))
	absent := putIf("b", integer(2), onAbsent)
	return []scenario{
		{"first counter", nil, []step{set("a", 1)}},
		{"add creates", nil, []step{addTo("a", 7)}},
		{"preload", prepared(set("a", 1)), []step{absent, absent.refused(ErrCondition)}},
		{"create wide", nil, []step{set("a", wide)}},
		{"longest key of a counter", nil, []step{set(long, 1), addTo(long, 1), take(long), del(long)}},
		{"add", prepared(set("a", 5)), []step{addTo("a", 1), addTo("a", -9), addTo("a", 0)}},
		{"set, take", prepared(set("a", 5)), []step{set("a", 6), take("a"), set("a", 0)}},
		{"widen", prepared(set("a", narrowMax)), []step{addTo("a", 1), addTo("a", 1), addTo("a", -2)}},
		{"wide to wide", prepared(set("a", wide)), []step{addTo("a", 1), set("a", -wide), take("a")}},
		{"wide that does not grow", prepared(set("a", wide)), []step{addTo("a", -1), set("a", wide-1), addTo("a", 0), keep("a", integer(-wide))}},
		{"take wide", prepared(set("a", wide)), []step{take("a"), addTo("a", wide), take("a")}},
		{"delete", prepared(set("a", 5)), []step{del("a")}},
		{"delete wide", prepared(set("a", wide)), []step{del("a")}},
		{"delete bytes as a counter", prepared(putBytes("a", "text")), []step{
			del("a").refused(ErrNotInteger), take("a").refused(ErrNotInteger), addTo("a", 1).refused(ErrNotInteger),
		}},
		{"chain of counters", ints, []step{del(c[1]), del(c[2]), set(c[1], 4), del(c[0])}},
		{"recycled entry", prepared(set("a", 1), set("b", 2), del("a")), []step{handsAt(0, 0), set("d", 4), del("b"), handsAt(0, 0), set("e", 5)}},
		{"integer to bytes to integer", prepared(set("a", 5)), []step{putBytes("a", text('a', 200)), set("a", 6), addTo("a", 1)}},
		{"wide to bytes to wide", prepared(set("a", wide)), []step{putBytes("a", text('a', 20)), set("a", -wide), addTo("a", 1)}},
		{"conditions on a counter", prepared(set("a", 5)), []step{
			putIf("a", integer(9), onMatch("a")), putIf("a", integer(1), onStale).refused(ErrCondition),
			putIf("a", integer(2), onMatch("a")), putIf("a", bytesCell("x"), onMatch("a")),
		}},
		{"generation comes round, add", prepared(set("a", 5), comesRound("a")), []step{addTo("a", -1), addTo("a", -1)}},
		{"generation comes round, set", prepared(set("a", 5), comesRound("a")), []step{set("a", 5)}},
		{"generation comes round, take", prepared(set("a", 5), comesRound("a")), []step{take("a")}},
		{"generation comes round, wide", prepared(set("a", wide), comesRound("a")), []step{addTo("a", -1), take("a")}},
		{"generation comes round, to wide", prepared(set("a", 5), comesRound("a")), []step{set("a", -wide)}},
		{"generation comes round, with a life", prepared(putFor("a", integer(5), lifetime), comesRound("a")), []step{addTo("a", -1), tick(lifetime), addTo("a", 1)}},
		{"generation comes round in a chain", func(b *builder) { ints(b); b.do(comesRound(c[1])) }, []step{addTo(c[1], -1)}},
		{"one after another", prepared(set("a", 1)), []step{set("b", 1), addTo("a", 1), del("a"), addTo("b", 1), del("b")}},
	}
}

func scenariosOfLife() []scenario {
	c := colliding(3, 12)
	a100 := text('a', 100)
	long := strings.Repeat("l", 200)
	lives := prepared(putFor("a", bytesCell(a100), lifetime), putFor("n", integer(5), lifetime), putFor("w", integer(wide), lifetime))
	dying := func(b *builder) {
		b.do(putFor(c[0], bytesCell(a100), lifetime), set(c[1], 7), putFor(c[2], integer(3), lifetime),
			putFor(long, bytesCell(text('l', 2000)), lifetime), putFor("w", integer(wide), lifetime), putBytes("a", a100))
	}
	return []scenario{
		{"increment creates with a life", nil, []step{increment("a", 1, 10, lifetime), increment("a", 1, 10, 2*lifetime), addTo("a", 1), tick(lifetime), increment("a", 1, 10, lifetime)}},
		{"put with a life", prepared(putBytes("a", a100), set("n", 1)), []step{putFor("a", bytesCell(a100), lifetime), putFor("n", integer(1), lifetime), putFor("n", integer(2), lifetime)}},
		{"put for ever", lives, []step{putBytes("a", a100), set("n", 6), set("w", wide)}},
		{"keeps its life", lives, []step{keep("a", bytesCell("x")), keep("n", integer(6)), keep("n", integer(wide)), keep("n", bytesCell(a100)), keep("w", integer(1)), keep("new", integer(1))}},
		{"life set", prepared(putBytes("a", a100), set("n", 5), set("w", wide)), []step{expire("a", lifetime), expire("n", lifetime), expire("w", lifetime)}},
		{"life changed", lives, []step{expire("a", 9), expire("n", 9), expire("w", 9), tick(9), expire("n", lifetime).refused(ErrNotFound)}},
		{"life removed", lives, []step{expire("a", 0), expire("n", 0), expire("w", 0), tick(lifetime), addTo("n", 1)}},
		{"life under a condition", lives, []step{
			expireIf("n", 9, onMatch("n")), expireIf("n", 0, onStale).refused(ErrCondition), expireIf("a", 0, onMatch("a")),
			expireIf("w", 7, onMatch("w")), expireIf("x", 7, onPresent).refused(ErrCondition), addTo("n", 1),
		}},
		{"expired, add", lives, []step{tick(lifetime), addTo("n", 1), addTo("w", 1), increment("a", 1, 1, lifetime)}},
		{"expired, put", lives, []step{tick(lifetime), putBytes("a", "x"), set("n", 1), putIf("w", integer(1), onAbsent)}},
		{"expired, kept", lives, []step{tick(lifetime), keep("a", bytesCell("x")), keep("n", integer(1))}},
		{"expired, removed", lives, []step{tick(lifetime), remove("a").refused(ErrNotFound), del("n").refused(ErrNotFound), take("w").refused(ErrNotFound)}},
		{"expired, read", lives, []step{tick(lifetime), locked("a").refused(ErrNotFound), locked("n").refused(ErrNotFound)}},
		{"expired in a chain", dying, []step{tick(lifetime), locked(c[2]).refused(ErrNotFound), putBytes(c[0], "x"), addTo(c[1], 1)}},
		{"take keeps the life", lives, []step{take("n"), take("w"), tick(lifetime), addTo("n", 1)}},
		{"sweep", dying, []step{tick(lifetime), sweep()}},
	}
}

func scenariosOfRoom() []scenario {
	a100 := text('a', 100)
	full := func(life uint64) func(*builder) {
		return func(b *builder) {
			b.do(putBytes("a", a100), set("n", 1))
			b.fill(life, fullRegion, 4000, 500, smallValue)
		}
	}
	const smalls = 120
	fragmented := func(size int) func(*builder) {
		return func(b *builder) {
			b.do(putBytes("a", a100), putBytes("big", text('b', size)))
			b.smalls(smalls)
			b.fill(0, fullRegion, 4000, 500, smallValue)
			b.fragment(smalls)
		}
	}
	prefixed := prepared(putBytes("p1", a100), set("p2", 2), putBytes("p3", text('p', 600)), putFor("p4", integer(4), lifetime), set("q1", 1), putBytes("q2", a100))
	return []scenario{
		{"many extents", fragmented(900), []step{putBytes("big", text('c', 900)), pieces("big", 15), putBytes("a", text('d', 90)), putBytes("big", text('e', 800)), remove("big")}},
		{"refused halfway", fragmented(5200), []step{halfway(putBytes("big", text('c', 5200))), putBytes("a", text('d', 90))}},
		{"full", full(0), []step{
			putBytes("new", a100).refused(ErrFull), set("more", 1).refused(ErrFull), putBytes("a", text('b', 100)), set("n", 2),
			set("n", wide), putFor("n", integer(3), lifetime), remove("a"), putBytes("a", text('c', 90)),
		}},
		{"reclaimed when full", full(lifetime), []step{tick(lifetime), putBytes("new", text('n', 5000))}},
		{"evicted", full(0), []step{letting(putBytes("new", text('n', 900)))}},
		{"evicted for a counter", full(0), []step{letting(addTo("new", 1)), addTo("new", 1)}},
		{"remove by prefix", prefixed, []step{removePrefix("p"), set("p1", 1)}},
	}
}
