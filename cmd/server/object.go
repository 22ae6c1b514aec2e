package main

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/fondue-server/fondue/internal/command"
)

// members reads one JSON object and nothing after it, in the order written.
func members(text []byte) ([]command.Member, error) {
	if err := command.CheckJSON(text); err != nil {
		return nil, explainSyntax(text, err)
	}
	list, err := command.Members(text)
	twice := new(command.TwiceError)
	switch {
	case errors.Is(err, command.ErrNotObject):
		return nil, fmt.Errorf("not a JSON object but %s; write {\"name\": value}", describe(bytes.TrimSpace(text)))
	case errors.As(err, &twice):
		return nil, fmt.Errorf("%q is there twice", twice.Name)
	}
	return list, nil
}

// explainSyntax says where a text stops being JSON.
func explainSyntax(text []byte, err error) error {
	syntax := new(command.SyntaxError)
	switch {
	case errors.As(err, &syntax):
		line := 1 + bytes.Count(text[:syntax.At], []byte("\n"))
		return fmt.Errorf("not JSON, line %d: %w", line, err)
	case len(bytes.TrimSpace(text)) == 0:
		return errors.New("empty; write a JSON object such as {}")
	case errors.Is(err, command.ErrTooMuch):
		return errors.New("there is more text after the end of the JSON object")
	}
	return err
}

// describe names a JSON value that is no object.
func describe(text []byte) string {
	switch text[0] {
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return fmt.Sprintf("the number %.40s", text)
}
