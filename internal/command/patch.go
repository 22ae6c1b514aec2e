package command

import (
	"errors"
	"hash/maphash"
	"time"

	"github.com/fondue-server/fondue/internal/shm"
)

// Patch is a change that keeps what it does not name.
type Patch struct {
	// Merge is a merge patch (RFC 7396), any JSON text; nil leaves the value.
	Merge []byte
	// TTL is the time to live from now, 0 for ever, when SetTTL is set. The key
	// keeps its own otherwise.
	TTL    time.Duration
	SetTTL bool
	If     Condition
}

var (
	// ErrContended: others changed the key, again and again, before it could
	// be written. It is unchanged by this command.
	ErrContended = errors.New("the key is changed by too many at once")
	// ErrNoPatch: neither a value nor a time to live was to be changed.
	ErrNoPatch = errors.New("nothing to change")
)

// patchPatience bounds the tries of one Patch. Each try that fails is one that
// another's succeeded in, so that it takes many writers to use it up.
const patchPatience = 10 * time.Second

// Patch changes a key in one step: it reads it, works out the new value and
// writes that if nobody was faster, and otherwise begins again. Where there is
// no key, a merge patch creates it, and one of the TTL alone is
// shm.ErrNotFound. The Item is the key after the change, its bytes appended to
// dst.
func (c *Commands) Patch(dst, key []byte, p Patch) (Item, Effect, error) {
	var merge *mergePatch
	switch {
	case p.Merge != nil:
		if _, err := ParseValue(p.Merge); err != nil {
			return Item{}, Effect{}, err
		}
		merge = parsePatch(p.Merge)
	case !p.SetTTL:
		return Item{}, Effect{}, ErrNoPatch
	}
	var item Item
	var effect Effect
	evicted := 0 // by all tries
	err := c.insist(key, func() (err error) {
		if merge != nil {
			item, effect, err = c.tryMerge(dst, key, merge, &p)
		} else {
			item, err = c.tryTTL(dst, key, &p)
		}
		evicted += effect.Evicted
		return err
	})
	effect.Evicted = evicted
	return item, effect, err
}

// insist calls try until it returns something else than errFaster, or patience
// is at its end. One try for a key is under way in this process at a time.
func (c *Commands) insist(key []byte, try func() error) error {
	deadline := time.Now().Add(c.patience)
	t := &c.turns[maphash.Bytes(c.seed, key)%turns]
	if !t.take(c.patience) {
		return ErrContended
	}
	defer t.give()
	for {
		if err := try(); !errors.Is(err, errFaster) {
			return err
		}
		if time.Now().After(deadline) {
			return ErrContended
		}
	}
}

// errFaster: the key changed between the read and the write of one try.
var errFaster = errors.New("another writer was faster")

// tryMerge returns errFaster when the key is not what it was any more.
func (c *Commands) tryMerge(dst, key []byte, merge *mergePatch, p *Patch) (Item, Effect, error) {
	old, err := c.store.Read(nil, key)
	absent := errors.Is(err, shm.ErrNotFound)
	if err != nil && !absent {
		return Item{}, Effect{}, err
	}
	if absent {
		old = Item{}
	}
	if !holds(p.If, old.Version) {
		return Item{}, Effect{}, shm.ErrCondition
	}
	// An integer is no object, and merges as nothing does.
	start := len(dst)
	dst = merge.apply(dst, old.Bytes)
	value := shm.BytesValue(dst[start:])
	if n, ok := parseInteger(dst[start:]); ok {
		value = shm.IntegerValue(n)
	}
	put := shm.Put{Value: value, TTL: p.TTL, KeepTTL: !p.SetTTL}
	if absent {
		put.If.Absent = true
	} else {
		put.If.Match = []Version{old.Version}
	}
	effect, err := c.store.Put(key, put)
	if errors.Is(err, shm.ErrCondition) {
		return Item{}, effect, errFaster
	}
	if err != nil {
		return Item{}, effect, err
	}
	item := Item{Value: value, Version: effect.Version, TTL: old.TTL}
	if p.SetTTL {
		item.TTL = p.TTL
	}
	return item, effect, nil
}

// tryTTL changes the TTL of the value that it returns.
func (c *Commands) tryTTL(dst, key []byte, p *Patch) (Item, error) {
	old, err := c.store.Read(dst, key)
	if errors.Is(err, shm.ErrNotFound) && !holds(p.If, Version{}) {
		err = shm.ErrCondition
	}
	if err != nil {
		return Item{}, err
	}
	if !holds(p.If, old.Version) {
		return Item{}, shm.ErrCondition
	}
	// A counter may be added to meanwhile: its value comes with the change.
	cond := p.If
	if !old.Integer {
		cond = Condition{Match: []Version{old.Version}}
	}
	item, err := c.store.SetTTL(key, p.TTL, cond)
	switch {
	case err == nil && item.Integer:
		return item, nil
	case err == nil && !old.Integer:
		item.Value = old.Value
		return item, nil
	case err == nil, errors.Is(err, shm.ErrCondition), errors.Is(err, shm.ErrNotFound):
		return Item{}, errFaster
	}
	return Item{}, err
}
