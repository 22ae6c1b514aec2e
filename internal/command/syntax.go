package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// What CheckJSON finds, beside a SyntaxError. They are ErrNotJSON, too.
var (
	ErrNotUTF8 error = &notJSON{"not UTF-8"}
	ErrCutOff  error = &notJSON{"not JSON: it ends in the middle"}
	ErrTooMuch error = &notJSON{"there is more text after the JSON value"}
)

type notJSON struct{ text string }

func (e *notJSON) Error() string        { return e.text }
func (e *notJSON) Is(target error) bool { return target == ErrNotJSON }

// SyntaxError tells where a text stops being JSON.
type SyntaxError struct {
	At     int // the byte that should not be there, from 0
	reason error
}

func (e *SyntaxError) Error() string        { return e.reason.Error() }
func (e *SyntaxError) Is(target error) bool { return target == ErrNotJSON }

// validJSON reports whether text is one JSON value in UTF-8. It accepts what
// json.Valid does, and takes a half of its time or less: that was most of what a PUT
// of a large value cost.
func validJSON(text []byte) bool {
	// A name that comes twice is JSON, and so is half of a surrogate pair that is
	// written as an escape; raw bytes that are not UTF-8 are not.
	return utf8.Valid(text) && jsontext.Value(text).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// CheckJSON refuses what is not one JSON value in UTF-8, with white space around
// it or not, and says what is wrong with it.
func CheckJSON(text []byte) error {
	if !utf8.Valid(text) {
		return ErrNotUTF8
	}
	if validJSON(text) {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	var value json.RawMessage
	switch err, syntax := d.Decode(&value), new(json.SyntaxError); {
	case err == nil:
		return ErrTooMuch
	case errors.As(err, &syntax):
		return &SyntaxError{int(syntax.Offset) - 1, err}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return ErrCutOff
	default:
		return ErrNotJSON
	}
}
