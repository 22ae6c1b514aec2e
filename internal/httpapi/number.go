package httpapi

import (
	"errors"
	"math"
	"strconv"
)

func appendInt(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }

var (
	errNotInteger = errors.New("not an integer")
	errRange      = errors.New("out of the range of a signed 64-bit integer")
)

// parseInt reads an optional sign and one or more decimal digits.
func parseInt(text []byte) (int64, error) {
	negative := false
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		negative = text[0] == '-'
		text = text[1:]
	}
	if len(text) == 0 {
		return 0, errNotInteger
	}
	// Collected below zero, where there is room for the lowest number.
	var n int64
	var err error
	for _, c := range text {
		d := int64(c) - '0'
		if d < 0 || d > 9 {
			return 0, errNotInteger
		}
		if n < (math.MinInt64+d)/10 {
			err = errRange
			continue
		}
		n = n*10 - d
	}
	if err == nil && !negative {
		if n == math.MinInt64 {
			return 0, errRange
		}
		n = -n
	}
	return n, err
}
