package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// parseArgs reads --args: a JSON object, or @ and the name of a file with one.
func parseArgs(value string) ([]byte, error) {
	path, ok := strings.CutPrefix(value, "@")
	if !ok {
		return compactArgs([]byte(value))
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, cause(err))
	}
	args, err := compactArgs(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return args, nil
}

func compactArgs(text []byte) ([]byte, error) {
	if _, err := members(text); err != nil {
		return nil, err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return nil, err
	}
	return compact.Bytes(), nil
}
