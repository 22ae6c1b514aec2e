package command

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/shm"
)

func TestBatch(t *testing.T) {
	t.Parallel()
	c := newCommands(t)
	key, other := []byte("k"), []byte("other")
	operations := []Operation{
		{Op: OpGet, Key: key},
		{Op: OpPut, Key: key, Value: shm.BytesValue([]byte(`{"a":1}`)), TTL: time.Hour},
		{Op: OpGet, Key: key},
		{Op: OpPatch, Key: key, Merge: []byte(`{"b":2}`)},
		{Op: OpIncrement, Key: key, By: 1},
		{Op: OpIncrement, Key: other, By: 2, Init: 40},
		{Op: OpPatch, Key: other, SetTTL: true, TTL: time.Hour},
		{Op: OpPut, Key: key, Value: shm.IntegerValue(1), If: Condition{Absent: true}},
		{Op: OpRemove, Key: key},
		{Op: OpRemove, Key: key},
		{Op: OpIncrement, Key: key, By: 7},
		{Key: key},
	}
	want := []string{
		"key not found", "", `{"a":1}`, `{"a":1,"b":2}`, "value is not an integer", "42", "42", "condition is not met",
		"", "key not found", "7", errNoOp.Error(),
	}
	var got []string
	c.Batch(operations, func(r Result) { got = append(got, strings.Clone(jsonOf(&r.Item, r.Err))) })
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := readJSON(c, "k"); got != "7" {
		t.Errorf("k is %s", got)
	}
}

// TestBatchFull: a small batch cannot make the server collect gigabytes, and
// what is refused is not done.
func TestBatchFull(t *testing.T) {
	t.Parallel()
	c := newCommands(t)
	size := int(c.MaxValue())
	mustPut(t, c, "large", `"`+strings.Repeat("x", size-2)+`"`)
	operations := make([]Operation, MaxBatch)
	for i := range operations {
		operations[i] = Operation{Op: OpGet, Key: []byte("large")}
	}
	operations[MaxBatch-2] = Operation{Op: OpPatch, Key: []byte("n"), Merge: []byte("1")}
	operations[MaxBatch-1] = Operation{Op: OpIncrement, Key: []byte("m"), By: 1}
	values, refused, i := 0, 0, 0
	c.Batch(operations, func(r Result) {
		values += len(r.Item.Bytes)
		switch {
		case errors.Is(r.Err, ErrBatchFull):
			refused++
		case r.Err != nil, refused > 0 && i < MaxBatch-1:
			t.Errorf("operation %d: %v after %d refused", i, r.Err, refused)
		}
		i++
	})
	if refused == 0 || values < maxBatchValues || values > maxBatchValues+size {
		t.Errorf("%d refused, values of %d bytes", refused, values)
	}
	if got := readJSON(c, "n") + ", " + readJSON(c, "m"); got != "key not found, 1" {
		t.Error(got)
	}
}

// TestEvictionIsTold: a change that makes others go says how many.
func TestEvictionIsTold(t *testing.T) {
	t.Parallel()
	small := shm.Geometry{Size: 2 << 20, Slots: 4}
	c := newFleetOf(t, small, 1, shm.Policy{Evict: true})[0]
	text := shm.BytesValue([]byte(`"` + strings.Repeat("x", 10000) + `"`))
	told := uint64(0)
	put := func(i int) {
		effect, err := c.Put(fmt.Appendf(nil, "k%d", i), text, 0, Condition{})
		if err != nil {
			t.Fatal(err)
		}
		told += uint64(effect.Evicted)
	}
	for i := range 400 {
		put(i)
	}
	for i := range 200 {
		_, effect, err := c.Patch(nil, fmt.Appendf(nil, "p%d", i), Patch{Merge: text.Bytes})
		if err != nil {
			t.Fatal(err)
		}
		told += uint64(effect.Evicted)
	}
	if r := c.Region(); told == 0 || r.Evictions != told || !r.Evict {
		t.Errorf("told %d, counted %d", told, r.Evictions)
	}

	c = newFleetOf(t, small, 1, shm.Policy{})[0]
	var err error
	n := 0
	for ; err == nil && n < 5000; n++ {
		var effect Effect
		if effect, err = c.Put(fmt.Appendf(nil, "k%d", n), text, 0, Condition{}); effect.Evicted != 0 {
			t.Errorf("evicted %d without leave", effect.Evicted)
		}
	}
	r := c.Region()
	if !errors.Is(err, shm.ErrFull) || r.Entries != uint64(n-1) || r.Evictions != 0 {
		t.Errorf("full: %v, %+v", err, r)
	}
}
