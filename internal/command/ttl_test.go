package command

import (
	"strings"
	"testing"
	"time"
)

func TestParseTTL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"30s":                                30 * time.Second,
		"1500ms":                             1500 * time.Millisecond,
		"1ms":                                time.Millisecond,
		"1h30m":                              90 * time.Minute,
		"1m1ms":                              time.Minute + time.Millisecond,
		"7d":                                 7 * 24 * time.Hour,
		"3650d":                              MaxTTL,
		"87600h":                             MaxTTL,
		"1d12h30m5s7ms":                      36*time.Hour + 30*time.Minute + 5*time.Second + 7*time.Millisecond,
		"1.5h":                               90 * time.Minute,
		"0.001s":                             time.Millisecond,
		".5s":                                500 * time.Millisecond,
		"1.s":                                time.Second,
		"007s":                               7 * time.Second,
		"0s1ms":                              time.Millisecond,
		"1s1s":                               2 * time.Second,
		"1.5ms":                              2 * time.Millisecond,
		"1.001ms":                            2 * time.Millisecond,
		"1ms0.5ms":                           2 * time.Millisecond,
		"1.0000000000000000000000000000001s": time.Second,
	} {
		if got, err := ParseTTL([]byte(text)); got != want || err != nil {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"30":                           "write 30s",
		"1.5":                          "write 1.5s",
		"1h30":                         "write 1h30s",
		"":                             "such as 30s",
		"s":                            "such as 30s",
		".s":                           "such as 30s",
		"-1s":                          "such as 30s",
		"+1s":                          "such as 30s",
		"1 s":                          "such as 30s",
		"1s ":                          "such as 30s",
		"1S":                           "such as 30s",
		"1us":                          "such as 30s",
		"1ns":                          "such as 30s",
		"1w":                           "such as 30s",
		"1e3s":                         "such as 30s",
		"1..5s":                        "such as 30s",
		"none":                         "such as 30s",
		"0s":                           "at least 1ms",
		"0.9ms":                        "at least 1ms",
		"3650d1ms":                     "at most 3650d",
		"3651d":                        "at most 3650d",
		strings.Repeat("9", 100) + "d": "at most 3650d",
		"9223372036854775807d":         "at most 3650d",
		"3650d" + "3650d":              "at most 3650d",
	} {
		if got, err := ParseTTL([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v, want %q", text, got, err, want)
		}
	}
}

func TestParseJSONTTL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"1": time.Second, "29.512": 29512 * time.Millisecond, "0.001": time.Millisecond, "1e3": 1000 * time.Second,
		"315360000": MaxTTL, "0.0015": 2 * time.Millisecond, "100000000.001": 100000000001 * time.Millisecond, "10e-4": time.Millisecond,
		`"1\u0068"`: time.Hour, `"0.0015s"`: 2 * time.Millisecond, "1.0000000001": time.Second,
		"0": 0, "-0": 0, "-1": 0, "0.0004": 0, "0.0006": 0, "0.00099999": 0, "1e-300": 0, "null": 0, "[1]": 0, `"1"`: 0, `"0.6ms"`: 0, "315360001": 0, "1e400": 0, "-1e400": 0, strings.Repeat("9", 400): 0,
	} {
		if got, err := ParseJSONTTL([]byte(text)); got != want || (err == nil) != (want > 0) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

func TestAppendSeconds(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		time.Millisecond: "0.001", 10 * time.Millisecond: "0.01", 29512 * time.Millisecond: "29.512", time.Second: "1",
		1500 * time.Millisecond: "1.5", time.Nanosecond: "0.001", time.Second + 1: "1.001", time.Second - 1: "1",
		MaxTTL: "315360000", 100 * time.Second: "100",
	} {
		if got := string(AppendSeconds([]byte("100 "), d)); got != "100 "+want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

// FuzzTTL: what is read as a time to live is what Go reads as a duration, but
// for the days, and within the limits.
func FuzzTTL(f *testing.F) {
	for _, text := range []string{"30s", "1500ms", "1h30m", "7d", "30", ".5s", "1.s", "3650d1ms", "99999999999999999999h", "0.0000000001h"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ttl, err := ParseTTL([]byte(text))
		if err == nil && (ttl < MinTTL || ttl > MaxTTL) {
			t.Fatalf("%q: %v", text, ttl)
		}
		want, wantErr := time.ParseDuration(text)
		if strings.ContainsAny(text, "d+-nuµμ") || text == "0" {
			return
		}
		whole := (want + time.Millisecond - 1).Truncate(time.Millisecond)
		if legal := wantErr == nil && want >= MinTTL && want <= MaxTTL; legal != (err == nil) && (want-MinTTL).Abs() > time.Microsecond {
			t.Fatalf("%q: %v, %v, want %v, %v", text, ttl, err, want, wantErr)
		}
		if err == nil && ttl != whole && (want-want.Round(time.Millisecond)).Abs() > time.Microsecond {
			t.Fatalf("%q: %v, want %v", text, ttl, whole)
		}
	})
}
