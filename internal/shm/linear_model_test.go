package shm

import (
	"fmt"
	"testing"

	"github.com/anishathalye/porcupine"
)

// opKind is an operation on one key.
type opKind int

const (
	opIncrement opKind = iota
	opAdd
	opPutInteger
	opPutBytes
	opSetIfAbsent
	opTake
	opDelete
	opRemove
	opSetTTL // to something far away: times to live are not the model's
	opGet
	opRead
	opKinds
)

// conditionKind is a part of Condition. The last two name a version.
type conditionKind int

const (
	ifAlways conditionKind = iota
	ifPresent
	ifAbsent
	ifMatch
	ifNot
	ifKinds
)

// call is one operation on one key, as its caller made it.
type call struct {
	op      opKind
	key     int
	n       int64 // to add, or to write; of bytes their number
	when    conditionKind
	version Version
}

// answer is what it returned.
type answer struct {
	failed  failure
	created bool
	bytes   bool
	n       int64
	version Version // zero where the operation does not tell it
	pending bool    // the process was killed: nothing is known
}

type failure int

const (
	fine failure = iota
	failedAbsent
	failedKind
	failedCondition
	failedWhole // what was read is not what anybody wrote
)

// register is a key's state. The version of what an operation wrote that does
// not tell it is unknown, the zero one, until somebody is told.
type register struct {
	present, bytes bool
	n              int64
	version        Version
}

// objectModel is what one key may do between call and return.
var objectModel = (&porcupine.NondeterministicModel{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byKey := map[int][]porcupine.Operation{}
		for _, op := range history {
			key := op.Input.(call).key
			byKey[key] = append(byKey[key], op)
		}
		var parts [][]porcupine.Operation
		for _, part := range byKey {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() []any { return []any{register{}} },
	Step: func(state, input, output any) (next []any) {
		s, in, out := state.(register), input.(call), output.(answer)
		for _, meets := range s.meets(in) {
			if r, ok := s.step(in, out, meets); ok {
				next = append(next, r)
			}
		}
		return next
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v = %+v", input, output) },
}).ToModel()

// meets says whether the condition is true, which may not be known.
func (s register) meets(in call) []bool {
	switch in.when {
	case ifPresent:
		return []bool{s.present}
	case ifAbsent:
		return []bool{!s.present}
	case ifMatch, ifNot:
		if s.present && s.version == (Version{}) {
			return []bool{true, false}
		}
		return []bool{(s.present && s.version == in.version) == (in.when == ifMatch)}
	}
	return []bool{true}
}

// step is not ok when the answer is wrong.
func (s register) step(in call, out answer, meets bool) (next register, ok bool) {
	next, want, told := s.apply(in, meets)
	if out.pending {
		return next, true
	}
	got := out
	got.version = Version{}
	if got != want {
		return s, false
	}
	if !told || want.failed != fine {
		return next, out.version == (Version{})
	}
	next.version = out.version
	v := out.version
	if v.Entry == 0 || (v.Generation == 0) != next.bytes || !next.bytes && v.Value != next.n {
		return s, false
	}
	if changes := in.op < opSetTTL; s.present && s.version != (Version{}) {
		return next, (v == s.version) != changes
	}
	return next, true
}

// apply is the state after the operation, and the answer without its version,
// which is told or not.
func (s register) apply(in call, meets bool) (next register, want answer, told bool) {
	if !meets {
		return s, answer{failed: failedCondition}, false
	}
	needs := func(integer bool) failure {
		switch {
		case !s.present:
			return failedAbsent
		case integer && s.bytes:
			return failedKind
		}
		return fine
	}
	switch in.op {
	case opIncrement, opAdd:
		if s.present && s.bytes {
			return s, answer{failed: failedKind}, false
		}
		want = answer{n: s.n + in.n, created: !s.present && in.op == opIncrement}
		return register{present: true, n: want.n}, want, in.op == opIncrement
	case opPutInteger, opPutBytes:
		return register{present: true, bytes: in.op == opPutBytes, n: in.n}, answer{created: !s.present}, true
	case opSetIfAbsent:
		if s.present {
			return s, answer{}, false
		}
		return register{present: true, n: in.n}, answer{created: true}, false
	case opTake, opDelete:
		if failed := needs(true); failed != fine {
			return s, answer{failed: failed}, false
		}
		if in.op == opTake {
			next = register{present: true}
		}
		return next, answer{n: s.n}, false
	case opRemove:
		return register{}, answer{failed: needs(false)}, false
	case opGet:
		if failed := needs(true); failed != fine {
			return s, answer{failed: failed}, false
		}
		return s, answer{n: s.n}, false
	case opSetTTL, opRead:
		if failed := needs(false); failed != fine {
			return s, answer{failed: failed}, false
		}
		want = answer{bytes: s.bytes, n: s.n}
		if in.op == opSetTTL && s.bytes {
			want.n = 0 // it returns no bytes
		}
		return s, want, true
	}
	panic("no such operation")
}

// The model refuses what a broken store would answer.
func TestObjectModelCanRefuse(t *testing.T) {
	t.Parallel()
	op := func(begin, end int64, c call, a answer) porcupine.Operation {
		return porcupine.Operation{Input: c, Output: a, Call: begin, Return: end}
	}
	counter := func(entry uint64, n int64) Version { return Version{entry, 1, n} }
	add := call{op: opAdd, n: 1}
	first := op(1, 2, call{op: opPutBytes, n: 7}, answer{created: true, version: Version{Entry: 5}})
	get, read, take := call{op: opGet}, call{op: opRead}, call{op: opTake}
	for name, h := range map[string][]porcupine.Operation{
		"a lost update":        {op(1, 3, add, answer{n: 1}), op(2, 4, add, answer{n: 1})},
		"a stale read":         {op(1, 2, add, answer{n: 1}), op(3, 4, get, answer{failed: failedAbsent})},
		"taken twice":          {op(1, 2, add, answer{n: 1}), op(3, 5, take, answer{n: 1}), op(4, 6, take, answer{n: 1})},
		"removed twice":        {first, op(3, 5, call{op: opRemove}, answer{}), op(4, 6, call{op: opRemove}, answer{})},
		"a torn value":         {first, op(3, 4, read, answer{failed: failedWhole})},
		"another value":        {first, op(3, 4, read, answer{bytes: true, n: 8, version: Version{Entry: 5}})},
		"a version of its own": {first, op(3, 4, read, answer{bytes: true, n: 7, version: Version{Entry: 6}})},
		"a version twice": {
			first, op(3, 4, call{op: opPutBytes, n: 7}, answer{version: Version{Entry: 5}}),
		},
		"a condition that was not met": {
			first, op(3, 4, call{op: opPutBytes, n: 8, when: ifMatch, version: Version{Entry: 4}}, answer{version: Version{Entry: 6}}),
		},
		"a condition that was met": {
			first, op(3, 4, call{op: opPutBytes, n: 8, when: ifMatch, version: Version{Entry: 5}}, answer{failed: failedCondition}),
		},
		"two that swap one version": {
			first,
			op(3, 5, call{op: opPutBytes, n: 8, when: ifMatch, version: Version{Entry: 5}}, answer{version: Version{Entry: 6}}),
			op(4, 6, call{op: opPutBytes, n: 9, when: ifMatch, version: Version{Entry: 5}}, answer{version: Version{Entry: 7}}),
		},
		"both created": {
			op(1, 3, call{op: opSetIfAbsent, n: 1}, answer{created: true}), op(2, 4, call{op: opSetIfAbsent, n: 2}, answer{created: true}),
		},
		"counted bytes": {first, op(3, 4, add, answer{n: 8})},
		"a counter's version of another value": {
			op(1, 2, call{op: opIncrement, n: 3}, answer{created: true, n: 3, version: counter(5, 3)}),
			op(3, 4, read, answer{n: 3, version: counter(5, 2)}),
		},
		"a kill that happened twice": {
			op(1, 1<<62, add, answer{pending: true}),
			op(2, 3, get, answer{failed: failedAbsent}), op(4, 5, get, answer{n: 1}), op(6, 7, get, answer{n: 2}),
		},
		"a kill that was taken back": {
			op(1, 1<<62, add, answer{pending: true}), op(4, 5, get, answer{n: 1}), op(6, 7, get, answer{failed: failedAbsent}),
		},
	} {
		if porcupine.CheckOperations(objectModel, h) {
			t.Errorf("%s passes", name)
		}
	}
	for name, h := range map[string][]porcupine.Operation{
		"a kill after":         {op(1, 1<<62, add, answer{pending: true}), op(2, 3, get, answer{failed: failedAbsent})},
		"a kill before":        {op(1, 1<<62, add, answer{pending: true}), op(2, 3, get, answer{n: 1})},
		"a kill some time":     {op(1, 1<<62, add, answer{pending: true}), op(2, 3, get, answer{failed: failedAbsent}), op(4, 5, get, answer{n: 1})},
		"an unknown version":   {op(1, 2, add, answer{n: 1}), op(3, 4, call{op: opRemove, when: ifMatch, version: counter(9, 1)}, answer{})},
		"an unknown version's": {op(1, 2, add, answer{n: 1}), op(3, 4, read, answer{n: 1, version: counter(9, 1)})},
	} {
		if !porcupine.CheckOperations(objectModel, h) {
			t.Errorf("%s is refused", name)
		}
	}
}
