package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// member is one name of a JSON object with its value as written.
type member struct {
	name  string
	value json.RawMessage
}

// members reads one JSON object and nothing after it, in the order written.
// A name that is there twice is refused: which of the two was meant is not
// for us to guess.
func members(text []byte) ([]member, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	start, err := d.Token()
	if err != nil {
		return nil, atLine(text, d, err)
	}
	if start != json.Delim('{') {
		return nil, fmt.Errorf("not a JSON object but %s; write {\"name\": value}", describe(start))
	}
	var list []member
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, atLine(text, d, err)
		}
		name, _ := token.(string)
		if seen[name] {
			return nil, fmt.Errorf("%q is there twice", name)
		}
		seen[name] = true
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, atLine(text, d, err)
		}
		list = append(list, member{name, value})
	}
	if _, err := d.Token(); err != nil {
		return nil, atLine(text, d, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more text after the end of the JSON object")
	}
	return list, nil
}

// atLine says where the text stops being JSON.
func atLine(text []byte, d *json.Decoder, err error) error {
	offset := d.InputOffset()
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		offset = min(max(syntax.Offset-1, offset), int64(len(text)))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		if len(bytes.TrimSpace(text)) == 0 {
			return errors.New("empty; write a JSON object such as {}")
		}
		return errors.New("not JSON: it ends in the middle")
	}
	line := 1 + bytes.Count(text[:offset], []byte("\n"))
	return fmt.Errorf("not JSON, line %d: %v", line, err)
}

func describe(token json.Token) string {
	switch t := token.(type) {
	case json.Delim:
		return "an array"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case nil:
		return "null"
	case json.Number:
		return "the number " + t.String()
	}
	return "something else"
}
