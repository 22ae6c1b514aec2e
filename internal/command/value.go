package command

import (
	"errors"
	"math"

	"github.com/fondue-server/fondue/internal/shm"
)

// The store's own types, for adapters: they reach the store through this
// package alone.
type (
	Value     = shm.Value
	Version   = shm.Version
	Condition = shm.Condition
	Item      = shm.Item
	Effect    = shm.Effect
	Key       = shm.Key
)

// ErrNotJSON is about a text that cannot be a value.
var ErrNotJSON = errors.New("not a JSON text in UTF-8")

// ParseValue reads a JSON text, white space around it left out. An integer that
// fits 64 bits is a counter, however it got there; everything else is kept as
// bytes, exactly as it is written. The value lies in text. A text that nests
// deeper than 10000 is ErrNotJSON.
func ParseValue(text []byte) (Value, error) {
	text = trimSpace(text)
	if !validJSON(text) {
		return Value{}, ErrNotJSON
	}
	if n, ok := parseInteger(text); ok {
		return shm.IntegerValue(n), nil
	}
	return shm.BytesValue(text), nil
}

// parseInteger reads a JSON number without fraction and exponent that fits.
func parseInteger(text []byte) (n int64, ok bool) {
	negative := text[0] == '-'
	if negative {
		text = text[1:]
	}
	// Collected below zero, where there is room for the lowest number.
	for _, c := range text {
		d := int64(c) - '0'
		if d < 0 || d > 9 || n < (math.MinInt64+d)/10 {
			return 0, false
		}
		n = n*10 - d
	}
	if negative {
		return n, true
	}
	return -n, n != math.MinInt64
}

// ParseVersion reads a version as Version.Append writes it.
func ParseVersion(text []byte) (v Version, ok bool) { return shm.ParseVersion(text) }

// Type is the JSON type of a value.
type Type string

// Integer is what can be added to; a number is any other.
const (
	Integer Type = "integer"
	Number  Type = "number"
	String  Type = "string"
	Boolean Type = "boolean"
	Null    Type = "null"
	Array   Type = "array"
	Object  Type = "object"
)

// TypeOf tells the type of a key's value.
func TypeOf(k *Key) Type {
	if k.Integer {
		return Integer
	}
	switch k.First {
	case '{':
		return Object
	case '[':
		return Array
	case '"':
		return String
	case 't', 'f':
		return Boolean
	case 'n':
		return Null
	}
	return Number
}
