package command

import (
	"errors"
	"fmt"
	"time"
)

// Op is what an Operation does.
type Op uint8

// The zero Op is none.
const (
	_ Op = iota
	OpGet
	OpPut
	OpPatch
	OpRemove
	OpIncrement
)

// Operation is one command of a Batch. What the Op does not use is left alone.
type Operation struct {
	Op       Op
	Key      []byte
	Value    Value  // OpPut
	Merge    []byte // OpPatch; nil: the TTL alone
	By, Init int64  // OpIncrement
	TTL      time.Duration
	SetTTL   bool      // OpPatch
	If       Condition // all but OpIncrement
}

// Result is what came of an Operation.
type Result struct {
	Item   Item // OpGet, OpPatch; of OpPut without the value, of OpIncrement the value alone
	Effect Effect
	Err    error
}

// Limits of a batch.
const (
	MaxBatch = 1000 // operations
	// maxBatchValues is how many bytes of values the results of one batch may
	// have before no further value is read: many large keys can be named in a
	// small request.
	maxBatchValues = 16 << 20
)

// ErrBatchFull: the values that a batch has read already are as many as one
// batch may return. Nothing was done.
var ErrBatchFull = fmt.Errorf("the values of one batch may have %d bytes together", maxBatchValues)

// errNoOp is about an Operation that an adapter did not fill in.
var errNoOp = errors.New("operation without an Op")

// Batch runs operations one after another and tells done each result, in order.
// Each operation is atomic; the batch is not: others see the first done while
// the second is not, and one that fails leaves those before it done and lets
// those after it run. The value of a result is valid until done returns.
func (c *Commands) Batch(operations []Operation, done func(Result)) {
	var buffer []byte
	values := 0
	for i := range operations {
		var r Result
		o := &operations[i]
		if (o.Op == OpGet || o.Op == OpPatch) && values >= maxBatchValues {
			r.Err = ErrBatchFull
		} else {
			r = c.do(buffer[:0], o)
		}
		if len(r.Item.Bytes) > 0 {
			values += len(r.Item.Bytes)
			buffer = r.Item.Bytes
		}
		done(r)
	}
}

func (c *Commands) do(dst []byte, o *Operation) (r Result) {
	switch o.Op {
	case OpGet:
		r.Item, r.Err = c.Get(dst, o.Key, o.If)
	case OpPut:
		r.Effect, r.Err = c.Put(o.Key, o.Value, o.TTL, o.If)
		if r.Err == nil {
			r.Item.Version, r.Item.TTL = r.Effect.Version, o.TTL
		}
	case OpPatch:
		r.Item, r.Effect, r.Err = c.Patch(dst, o.Key, Patch{Merge: o.Merge, TTL: o.TTL, SetTTL: o.SetTTL, If: o.If})
	case OpRemove:
		r.Err = c.Remove(o.Key, o.If)
	case OpIncrement:
		r.Item.Integer = true
		r.Item.Int, r.Effect, r.Err = c.Increment(o.Key, o.By, o.Init, o.TTL)
	default:
		r.Err = errNoOp
	}
	return r
}
