package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// Errors of setting the start-up arguments. shm.ErrArgsTooLarge is the third.
var (
	ErrNotJSON   = errors.New("not a JSON text in UTF-8")
	ErrNotObject = errors.New("a JSON value, but not an object")
)

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
	return c.store.SetArgs(object)
}
