package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Errors of setting the start-up arguments. TwiceError and
// shm.ErrArgsTooLarge are the others.
var (
	ErrNotJSON   = errors.New("not a JSON text in UTF-8")
	ErrNotObject = errors.New("a JSON value, but not an object")
)

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
func (c *Commands) SetArgs(object []byte) error {
	// The set of JSON white space, which is smaller than Unicode's.
	object = bytes.Trim(object, " \t\r\n")
	if !utf8.Valid(object) || !json.Valid(object) {
		return ErrNotJSON
	}
	if object[0] != '{' {
		return ErrNotObject
	}
	if err := refuseTwice(object); err != nil {
		return err
	}
	return c.store.SetArgs(object)
}

// refuseTwice returns a TwiceError when a member of the object, not of what
// lies within, is there twice. The object must be valid JSON.
func refuseTwice(object []byte) error {
	seen := map[string]bool{}
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		if seen[name] {
			return &TwiceError{name}
		}
		seen[name] = true
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
	}
	return nil
}
