package shm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"
)

// do makes the call.
func (c call) do(s *Store) (a answer, err error) {
	key := linearKey(c.key)
	var item Item
	var did Effect
	switch c.op {
	case opIncrement:
		a.n, did, err = s.Increment(key, c.n, 0, 0)
	case opAdd:
		a.n, err = s.Add(key, c.n, 0)
	case opPutInteger:
		did, err = s.Put(key, Put{Value: IntegerValue(c.n), If: c.condition()})
	case opPutBytes:
		did, err = s.Put(key, Put{Value: BytesValue(linearBytes(c.n)), If: c.condition()})
	case opSetIfAbsent:
		a.created, err = s.SetIfAbsent(key, c.n)
	case opTake:
		a.n, err = s.Take(key)
	case opDelete:
		a.n, err = s.Delete(key)
	case opRemove:
		err = s.Remove(key, c.condition())
	case opSetTTL:
		item, err = s.SetTTL(key, time.Hour, c.condition())
		a.bytes, a.n, a.version = !item.Integer && err == nil, item.Int, item.Version
	case opGet:
		a.n, err = s.Get(key)
	case opRead:
		if item, err = s.Read(nil, key); err == nil {
			a = answerOf(item)
		}
	}
	if c.op == opIncrement || c.op == opPutInteger || c.op == opPutBytes {
		a.created, a.version = did.Created, did.Version
	}
	switch {
	case errors.Is(err, ErrNotFound):
		return answer{failed: failedAbsent}, nil
	case errors.Is(err, ErrNotInteger):
		return answer{failed: failedKind}, nil
	case errors.Is(err, ErrCondition):
		return answer{failed: failedCondition}, nil
	}
	return a, err
}

func (c call) condition() (cond Condition) {
	switch c.when {
	case ifPresent:
		cond.Present = true
	case ifAbsent:
		cond.Absent = true
	case ifMatch:
		cond.Match = []Version{c.version}
	case ifNot:
		cond.Not = []Version{c.version}
	}
	return cond
}

func answerOf(item Item) answer {
	a := answer{n: item.Int, version: item.Version}
	if item.Integer {
		return a
	}
	a.bytes = true
	if len(item.Bytes) >= 8 {
		a.n = int64(binary.LittleEndian.Uint64(item.Bytes) &^ narrowBit)
	}
	if !bytes.Equal(item.Bytes, linearBytes(a.n)) {
		return answer{failed: failedWhole}
	}
	return a
}

// linearBytes is the value with a number: of a length of its own, up to several
// extents, each word of it a counter's to who does not look.
func linearBytes(n int64) []byte {
	lengths := [...]int{8, 24, 64, 104, 1600, 5000}
	word := binary.LittleEndian.AppendUint64(nil, uint64(n)|narrowBit)
	return bytes.Repeat(word, lengths[n%int64(len(lengths))]/8)
}

// linearKey is the key with a number: one line, or a chain of units beside it.
func linearKey(n int) []byte {
	return append(fmt.Appendf(nil, "key:%d", n), bytes.Repeat([]byte{'.'}, n%3*n%200)...)
}

// drawCall picks an operation. last is the version of the key that this caller
// was told last.
func drawCall(rng *rand.Rand, key int, ticket int64, last Version) call {
	c := call{op: opKind(rng.IntN(int(opKinds))), key: key, n: rng.Int64N(5) - 1}
	switch c.op {
	case opPutBytes:
		c.n = ticket
	case opIncrement, opAdd, opPutInteger:
		if rng.IntN(8) == 0 {
			c.n = narrowMax - 1 // back and forth between narrow and wide
		}
	}
	if c.op >= opPutInteger && c.op <= opPutBytes || c.op == opRemove || c.op == opSetTTL {
		c.when, c.version = conditionKind(rng.IntN(int(ifKinds))), last
		if last == (Version{}) && c.when >= ifMatch {
			c.when = ifAlways
		}
	}
	return c
}

// A record is a call and what it returned, in words that outlive a SIGKILL.
const (
	recordPhase   = 0 // of a record: 0 free, 1 called, 2 returned
	recordCalled  = 1 // ns of the host's monotonic clock
	recordEnded   = 2
	recordOp      = 3
	recordKey     = 4
	recordN       = 5
	recordWhen    = 6
	recordVersion = 7 // three words
	recordAnswer  = 10
	recordGot     = 11
	recordTold    = 12 // three words
	recordWords   = 16
)

type record []atomic.Uint64

func (r record) putVersion(at int, v Version) {
	r[at].Store(v.Entry)
	r[at+1].Store(uint64(v.Generation))
	r[at+2].Store(uint64(v.Value))
}

func (r record) version(at int) Version {
	return Version{r[at].Load(), uint32(r[at+1].Load()), int64(r[at+2].Load())}
}

func (r record) begin(c call) {
	r[recordOp].Store(uint64(c.op))
	r[recordKey].Store(uint64(c.key))
	r[recordN].Store(uint64(c.n))
	r[recordWhen].Store(uint64(c.when))
	r.putVersion(recordVersion, c.version)
	r[recordCalled].Store(uint64(nanotime()))
	r[recordPhase].Store(1)
}

func (r record) end(a answer) {
	r[recordEnded].Store(uint64(nanotime()))
	flags := uint64(a.failed) << 2
	if a.created {
		flags |= 1
	}
	if a.bytes {
		flags |= 2
	}
	r[recordAnswer].Store(flags)
	r[recordGot].Store(uint64(a.n))
	r.putVersion(recordTold, a.version)
	r[recordPhase].Store(2)
}

// operation is what a record says. One that did not return may happen at any
// time from its call on, or not at all.
func (r record) operation(client int) porcupine.Operation {
	op := porcupine.Operation{
		ClientId: client,
		Input: call{
			op: opKind(r[recordOp].Load()), key: int(r[recordKey].Load()), n: int64(r[recordN].Load()),
			when: conditionKind(r[recordWhen].Load()), version: r.version(recordVersion),
		},
		Call: int64(r[recordCalled].Load()),
	}
	if r[recordPhase].Load() == 1 {
		op.Return, op.Output = math.MaxInt64, answer{pending: true}
		return op
	}
	flags := r[recordAnswer].Load()
	op.Return = int64(r[recordEnded].Load())
	op.Output = answer{
		failed: failure(flags >> 2), created: flags&1 != 0, bytes: flags&2 != 0,
		n: int64(r[recordGot].Load()), version: r.version(recordTold),
	}
	return op
}

// linearLog is tickets and lanes: one word each operation takes a number from,
// so that all callers are at the same keys at one time, and the records of each
// caller.
type linearLog struct {
	next, allowed *atomic.Uint64
	total         uint64
	burst         uint64 // tickets that are allowed when all lanes wait for one
	lanes         []record
}

const logHead = 16 // words

func logWords(total, lanes int) int { return logHead + lanes*total*recordWords }

func newLinearLog(words []atomic.Uint64, total, lanes int) *linearLog {
	l := &linearLog{next: &words[0], allowed: &words[8], total: uint64(total)}
	for i := range lanes {
		l.lanes = append(l.lanes, words[logHead+i*total*recordWords:][:total*recordWords])
	}
	return l
}

// ticket waits until there is one. It is not ok at the end.
func (l *linearLog) ticket() (n uint64, ok bool) {
	n = l.next.Add(1) - 1
	for a := l.allowed.Load(); n < l.total && n >= a; a = l.allowed.Load() {
		if l.burst > 0 && l.next.Load() >= a+uint64(len(l.lanes)) {
			l.allowed.CompareAndSwap(a, a+l.burst)
		}
		runtime.Gosched()
	}
	return n, n < l.total
}

// keyShare tickets go to keysAtOnce keys; then others are next, so that no
// history of a key is long.
const (
	keyShare   = 64
	keysAtOnce = 2
)

// run is one caller: it goes on until the tickets end.
func (l *linearLog) run(lane int, s *Store, seed uint64) error {
	records := l.lanes[lane]
	for len(records) > 0 && records[recordPhase].Load() != 0 {
		records = records[recordWords:] // of the processes that had the lane before
	}
	rng := rand.New(rand.NewPCG(seed, uint64(lane)))
	last := map[int]Version{}
	for {
		n, ok := l.ticket()
		if !ok {
			return nil
		}
		key := int(n/keyShare)*keysAtOnce + rng.IntN(keysAtOnce)
		c := drawCall(rng, key, int64(n), last[key])
		records[:recordWords].begin(c)
		a, err := c.do(s)
		if err != nil {
			return fmt.Errorf("%+v: %w", c, err)
		}
		records[:recordWords].end(a)
		if records = records[recordWords:]; a.version != (Version{}) {
			last[key] = a.version
		}
	}
}

// history is all that was recorded, and how many operations did not return.
func (l *linearLog) history() (all []porcupine.Operation, pending int) {
	for lane, records := range l.lanes {
		for ; len(records) > 0 && records[recordPhase].Load() != 0; records = records[recordWords:] {
			op := records[:recordWords].operation(lane)
			if op.Output.(answer).pending {
				pending++
			}
			all = append(all, op)
		}
	}
	return all, pending
}
