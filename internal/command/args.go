package command

import (
	"errors"
	"fmt"

	"github.com/fondue-server/fondue/internal/shm"
)

// ErrNotObject is about start-up arguments. ErrNotJSON, TwiceError,
// shm.ErrValueTooLarge and shm.ErrFull are the other errors of setting them.
var ErrNotObject = errors.New("a JSON value, but not an object")

// TwiceError is about an object that has a member twice. Which of the two was
// meant is not for us to guess.
type TwiceError struct{ Name string }

func (e *TwiceError) Error() string { return fmt.Sprintf("member %q is there twice", e.Name) }

// Args appends the shared start-up arguments, a JSON object, to dst. Before
// any were set they are the empty object.
func (c *Commands) Args(dst []byte) ([]byte, error) {
	full, err := c.store.Args(dst)
	if err == nil && full == nil {
		return append(dst, "{}"...), nil
	}
	return full, err
}

// SetArgs replaces the arguments for every process at once. The object is
// kept as it was written, without the white space around it.
func (c *Commands) SetArgs(object []byte) (shm.Effect, error) {
	object = trimSpace(object)
	if _, err := ParseValue(object); err != nil {
		return shm.Effect{}, err
	}
	if object[0] != '{' {
		return shm.Effect{}, ErrNotObject
	}
	if err := refuseTwice(object); err != nil {
		return shm.Effect{}, err
	}
	return c.store.SetArgs(object)
}

// refuseTwice returns a TwiceError when a member of the object, not of what
// lies within, is there twice. The object must be valid JSON.
func refuseTwice(object []byte) (err error) {
	seen := map[string]bool{}
	s := scanner{text: object}
	s.object(func(_ int, quoted []byte) {
		name := string(unquote(quoted))
		if seen[name] && err == nil {
			err = &TwiceError{name}
		}
		seen[name] = true
		s.value()
	})
	return err
}
