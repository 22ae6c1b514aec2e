package httpapi

import (
	"bytes"
	"math"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/fondue-server/fondue/internal/command"
)

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

// parseTTL reads a time to live: numbers with their units, as in 30s, 1500ms,
// 1h30m, 1.5h and 7d.
func parseTTL(text []byte) (time.Duration, error) {
	var sum time.Duration
	for rest := text; ; {
		var whole, fraction []byte
		whole, rest = cutDigits(rest)
		if len(rest) > 0 && rest[0] == '.' {
			fraction, rest = cutDigits(rest[1:])
		}
		switch {
		case len(whole)+len(fraction) == 0:
			return 0, refuseTTL(text)
		case len(rest) == 0:
			return 0, problemf(fasthttp.StatusBadRequest, "ttl %q has no unit; for seconds write %ss", text, text)
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
		if sum += multiply(whole, fraction, length); sum > command.MaxTTL {
			return 0, refuseLength(text)
		}
		if len(rest) == 0 {
			break
		}
	}
	if sum < command.MinTTL {
		return 0, refuseLength(text)
	}
	return sum, nil
}

func cutDigits(text []byte) (digits, rest []byte) {
	n := 0
	for n < len(text) && '0' <= text[n] && text[n] <= '9' {
		n++
	}
	return text[:n], text[n:]
}

// multiply returns a decimal number of units, or more than command.MaxTTL.
func multiply(whole, fraction []byte, unit time.Duration) time.Duration {
	var n time.Duration
	for _, c := range whole {
		n = min(n*10+time.Duration(c-'0'), command.MaxTTL/unit+1)
	}
	n *= unit
	for _, c := range fraction {
		unit /= 10
		n += time.Duration(c-'0') * unit
	}
	return n
}

// ttlOfSeconds reads a time to live that is a JSON number of seconds, to the
// millisecond.
func ttlOfSeconds(number []byte) (time.Duration, error) {
	seconds, err := strconv.ParseFloat(string(number), 64)
	if ms := math.Round(seconds * 1000); err == nil && ms >= 1 && ms <= float64(command.MaxTTL/time.Millisecond) {
		return time.Duration(ms) * time.Millisecond, nil
	}
	return 0, refuseLength(number)
}

func refuseTTL(text []byte) error {
	return problemf(fasthttp.StatusBadRequest,
		"ttl must be numbers with a unit of ms, s, m, h or d, such as 30s, 1500ms, 1h30m or 7d, not %q", text)
}

func refuseLength(text []byte) error {
	return problemf(fasthttp.StatusBadRequest, "ttl must be at least 1ms and at most %dd, and is %q", command.MaxTTL/(24*time.Hour), text)
}

// appendSeconds appends a time to live as a JSON number of seconds, to the
// millisecond, rounded up: a key that is there has some left.
func appendSeconds(dst []byte, d time.Duration) []byte {
	ms := int64((d + time.Millisecond - 1) / time.Millisecond)
	dst = appendInt(dst, ms/1000)
	if ms %= 1000; ms > 0 {
		dst = append(dst, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
		dst = bytes.TrimRight(dst, "0")
	}
	return dst
}
