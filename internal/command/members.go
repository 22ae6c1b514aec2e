package command

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// ErrNotObject is about a JSON text where an object has to be.
var ErrNotObject = errors.New("a JSON value, but not an object")

// ErrHalfSurrogate is about a string with an escape that stands for half a
// character: no UTF-8 has it, and as U+FFFD it would name another key.
var ErrHalfSurrogate = errors.New("half of a surrogate pair, which no UTF-8 has")

// TwiceError is about an object that has a member twice. Which of the two was
// meant is not for us to guess.
type TwiceError struct{ Name string }

func (e *TwiceError) Error() string { return fmt.Sprintf("member %q is there twice", e.Name) }

// Member is one member of a JSON object, as it is written.
type Member struct {
	Name  []byte // with its quotes; see Text
	Value []byte
}

// Members takes a text apart that CheckJSON accepts. Errors: ErrNotObject,
// TwiceError.
func Members(text []byte) (list []Member, err error) {
	text = trimSpace(text)
	if text[0] != '{' {
		return nil, ErrNotObject
	}
	seen := map[string]bool{}
	s := scanner{text: text}
	s.object(func(_ int, quoted []byte) {
		name := string(unquote(quoted))
		if seen[name] && err == nil {
			err = &TwiceError{name}
		}
		seen[name] = true
		list = append(list, Member{quoted, s.value()})
	})
	return list, err
}

// Text decodes a JSON string, as it is written in a text that CheckJSON
// accepts. Error: ErrHalfSurrogate.
func Text(quoted []byte) (string, error) {
	// In UTF-8, nothing else than such a half decodes as what is not.
	text := unquote(quoted)
	if !utf8.Valid(text) {
		return "", ErrHalfSurrogate
	}
	return string(text), nil
}
