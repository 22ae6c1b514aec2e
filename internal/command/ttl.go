package command

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// A time to live is within these.
const (
	MinTTL = time.Millisecond
	MaxTTL = 3650 * 24 * time.Hour
)

// TTLError is about a text that is no time to live, or none that a key can have.
type TTLError struct{ reason string }

func (e *TTLError) Error() string { return e.reason }

func ttlErrorf(format string, args ...any) error { return &TTLError{fmt.Sprintf(format, args...)} }

// ttlUnits are those of a time to live, a name before any that it begins with.
// A month has no fixed length, and less than a millisecond is not told apart.
var ttlUnits = []struct {
	name   []byte
	length time.Duration
}{
	{[]byte("ms"), time.Millisecond},
	{[]byte("s"), time.Second},
	{[]byte("m"), time.Minute},
	{[]byte("h"), time.Hour},
	{[]byte("d"), 24 * time.Hour},
}

// ParseTTL reads a time to live: numbers with their units, as in 30s, 1500ms,
// 1h30m, 1.5h and 7d. Less than MinTTL is refused; what is between two
// milliseconds is rounded up, as the store does it.
func ParseTTL(text []byte) (time.Duration, error) {
	var sum time.Duration
	for rest := text; ; {
		var whole, fraction []byte
		whole, fraction, rest = cutNumber(rest)
		switch {
		case len(whole)+len(fraction) == 0:
			return 0, refuseTTL(text)
		case len(rest) == 0:
			return 0, ttlErrorf("ttl %.40q has no unit; for seconds write %.40ss", text, text)
		}
		length := time.Duration(0)
		for _, unit := range ttlUnits {
			if after, found := bytes.CutPrefix(rest, unit.name); found {
				length, rest = unit.length, after
				break
			}
		}
		if length == 0 {
			return 0, refuseTTL(text)
		}
		if sum += multiply(whole, fraction, length); sum > MaxTTL || len(rest) == 0 {
			return limitTTL(sum, text)
		}
	}
}

// ParseJSONTTL reads a time to live that is JSON: a number of seconds, or a
// string that ParseTTL takes.
func ParseJSONTTL(text []byte) (time.Duration, error) {
	switch c := text[0]; {
	case c == '"':
		return ParseTTL(unquote(text))
	case c == '-' || '0' <= c && c <= '9':
		seconds, err := strconv.ParseFloat(string(text), 64)
		if err != nil || seconds < 0 {
			return limitTTL(0, text)
		}
		// In its shortest decimal form it is what was written, but for more
		// digits than a time to live can have.
		whole, fraction, _ := cutNumber(strconv.AppendFloat(nil, seconds, 'f', -1, 64))
		return limitTTL(multiply(whole, fraction, time.Second), text)
	}
	return 0, ttlErrorf("ttl must be a number of seconds, or a string such as \"30s\", not %.40s", text)
}

// cutNumber cuts a decimal number off a text.
func cutNumber(text []byte) (whole, fraction, rest []byte) {
	whole, rest = cutDigits(text)
	if len(rest) > 0 && rest[0] == '.' {
		fraction, rest = cutDigits(rest[1:])
	}
	return whole, fraction, rest
}

func cutDigits(text []byte) (digits, rest []byte) {
	n := 0
	for n < len(text) && '0' <= text[n] && text[n] <= '9' {
		n++
	}
	return text[:n], text[n:]
}

// multiply returns a decimal number of units, or more than MaxTTL.
func multiply(whole, fraction []byte, unit time.Duration) time.Duration {
	var n time.Duration
	for _, c := range whole {
		n = min(n*10+time.Duration(c-'0'), MaxTTL/unit+1)
	}
	n *= unit
	for _, c := range fraction {
		unit /= 10
		n += time.Duration(c-'0') * unit
	}
	return n
}

// limitTTL rounds a time to live that was written as text.
func limitTTL(ttl time.Duration, text []byte) (time.Duration, error) {
	if ttl < MinTTL || ttl > MaxTTL {
		return 0, ttlErrorf("ttl must be at least 1ms and at most %dd, and is %.40q", MaxTTL/(24*time.Hour), text)
	}
	return (ttl + time.Millisecond - 1).Truncate(time.Millisecond), nil
}

func refuseTTL(text []byte) error {
	return ttlErrorf("ttl must be numbers with a unit of ms, s, m, h or d, such as 30s, 1500ms, 1h30m or 7d, not %.40q", text)
}

// AppendSeconds appends a time to live as a JSON number of seconds, to the
// millisecond, rounded up: a key that is there has some left.
func AppendSeconds(dst []byte, ttl time.Duration) []byte {
	ms := int64((ttl + time.Millisecond - 1) / time.Millisecond)
	dst = strconv.AppendInt(dst, ms/1000, 10)
	if ms %= 1000; ms > 0 {
		dst = append(dst, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
		dst = bytes.TrimRight(dst, "0")
	}
	return dst
}
