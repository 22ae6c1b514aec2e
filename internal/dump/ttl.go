package dump

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/fondue-server/fondue/internal/command"
)

// parseTTL reads a JSON number of seconds, or a string such as "30s".
func parseTTL(text []byte) (time.Duration, error) {
	var seconds float64
	var duration string
	switch {
	case json.Unmarshal(text, &seconds) == nil:
	case json.Unmarshal(text, &duration) == nil:
		var ok bool
		if seconds, ok = parseDuration(duration); !ok {
			return 0, refuseTTL(text)
		}
	default:
		return 0, refuseTTL(text)
	}
	// The store rounds up to milliseconds, which would add one to what a float
	// has too much; the nearest one is what a dump wrote.
	ms := math.Round(seconds * 1e3)
	if !(ms >= float64(command.MinTTL/time.Millisecond) && ms <= float64(command.MaxTTL/time.Millisecond)) {
		return 0, refuseTTL(text)
	}
	return time.Duration(ms) * time.Millisecond, nil
}

func refuseTTL(text []byte) error {
	return fmt.Errorf(`ttl is %.40s; give a number of seconds from 0.001 to %d, or a duration in units of ms, s, m, h and d such as "1h30m"; leave it out for none`,
		text, command.MaxTTL/time.Second)
}

// ttlUnits are in seconds, a name before any that it begins with.
var ttlUnits = []struct {
	name    string
	seconds float64
}{{"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}}

// parseDuration reads numbers with their units.
func parseDuration(text string) (seconds float64, ok bool) {
	for rest := text; rest != ""; {
		number := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789."))]
		n, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return 0, false
		}
		rest, ok = rest[len(number):], false
		for _, unit := range ttlUnits {
			if after, found := strings.CutPrefix(rest, unit.name); found {
				seconds += n * unit.seconds
				rest, ok = after, true
				break
			}
		}
		if !ok {
			return 0, false
		}
	}
	return seconds, ok
}
