package command

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/fondue-server/fondue/internal/shm"
)

func TestArgs(t *testing.T) {
	t.Parallel()
	c := newCommands(t)
	want := "{}"
	for _, s := range []struct {
		text string
		err  error
	}{
		{"", ErrNotJSON},
		{"{", ErrNotJSON},
		{"{\"a\":\"\xff\"}", ErrNotJSON},
		{"\v{}", ErrNotJSON},
		{"null", ErrNotObject},
		{" [] ", ErrNotObject},
		{` {"a" : 1}` + "\n", nil},
		{`{"a":"` + strings.Repeat("x", int(c.MaxValue())) + `"}`, shm.ErrValueTooLarge},
		{"{}", nil},
	} {
		if _, err := c.SetArgs([]byte(s.text)); !errors.Is(err, s.err) {
			t.Errorf("SetArgs(%.20q): %v, want %v", s.text, err, s.err)
		} else if err == nil {
			want = string(bytes.TrimSpace([]byte(s.text)))
		}
		if b, err := c.Args([]byte("x")); string(b) != "x"+want || err != nil {
			t.Errorf("Args after SetArgs(%.20q): %.20q, %v", s.text, b, err)
		}
	}
}

func TestArgsTwice(t *testing.T) {
	t.Parallel()
	c := newCommands(t)
	var twice *TwiceError
	if _, err := c.SetArgs([]byte(`{"a":1,"b":{"a":2},"\u0061":3}`)); !errors.As(err, &twice) || twice.Name != "a" {
		t.Errorf("a twice: %v", err)
	}
	if _, err := c.SetArgs([]byte(`{"a":{"b":1,"b":2},"b":[{"a":1,"a":2}]}`)); err != nil {
		t.Errorf("what lies within: %v", err)
	}
}
