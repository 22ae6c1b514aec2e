package command

import "github.com/fondue-server/fondue/internal/shm"

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
// kept as it was written, without the white space around it. Errors: ErrNotJSON,
// ErrNotObject, TwiceError, shm.ErrValueTooLarge, shm.ErrFull.
func (c *Commands) SetArgs(object []byte) (shm.Effect, error) {
	object = trimSpace(object)
	if _, err := ParseValue(object); err != nil {
		return shm.Effect{}, err
	}
	if _, err := Members(object); err != nil {
		return shm.Effect{}, err
	}
	return c.store.SetArgs(object)
}
