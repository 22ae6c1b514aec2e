package dump

import (
	"errors"
	"fmt"

	"github.com/fondue-server/fondue/internal/shm"
)

// Result tells what a load did.
type Result struct {
	Loaded int
	Kept   int // keys that were there already, with ifAbsent
}

// Load puts every key into the store, in the order of the lines. With ifAbsent
// keys that are there keep what they hold. An error leaves those loaded that
// the result counts.
func Load(store *shm.Store, in *Input, ifAbsent bool) (done Result, err error) {
	for _, l := range in.lines {
		put := shm.Put{Value: l.Value, TTL: l.TTL, If: shm.Condition{Absent: ifAbsent}}
		switch _, err := store.Put(l.Key, put); {
		case err == nil:
			done.Loaded++
		case ifAbsent && errors.Is(err, shm.ErrCondition):
			done.Kept++
		default:
			return done, fmt.Errorf("line %d: key %.40q: %w", l.number, l.Key, err)
		}
	}
	return done, nil
}
