package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fondue-server/fondue/internal/shm"
)

// setting is a pflag.Value whose errors say what would be right; pflag's own
// types answer with strconv's words.
type setting[T any] struct {
	target *T
	arg    string
	parse  func(string) (T, error)
	text   string
}

func (s *setting[T]) Set(text string) error {
	v, err := s.parse(text)
	if err != nil {
		return err
	}
	*s.target, s.text = v, text
	return nil
}

func (s *setting[T]) String() string { return s.text }

// Type names the value in "needs a value".
func (s *setting[T]) Type() string { return s.arg }

// flag declares an option whose value parse checks at once.
func flag[T any](name, arg string, target *T, parse func(string) (T, error), fallback, usage string) option {
	return option{
		name: name, arg: arg, usage: usage, fallback: fallback,
		value: &setting[T]{target: target, arg: arg, parse: parse},
		now:   func() any { return *target },
	}
}

// repeated declares an option that may be given several times.
func repeated[T any](name, arg string, target *[]T, parse func(string) (T, error), fallback, usage string) option {
	first := true
	appendTo := func(text string) ([]T, error) {
		v, err := parse(text)
		if err != nil {
			return nil, err
		}
		if first {
			*target, first = nil, false
		}
		return append(*target, v), nil
	}
	o := flag(name, arg, target, appendTo, fallback, usage)
	o.many = true
	return o
}

func parseBool(s string) (bool, error) {
	v, err := strconv.ParseBool(s)
	if err != nil {
		return false, fmt.Errorf("%q is neither true nor false", s)
	}
	return v, nil
}

func parseText(s string) (string, error) {
	if s == "" {
		return "", errors.New("the value is empty")
	}
	return s, nil
}

// parseAccessLog reads off as what the default is: so a flag can take back what
// the variable or the file says.
func parseAccessLog(s string) (string, error) {
	if s == "off" {
		return "", nil
	}
	return parseText(s)
}

func parseCount(limit int) func(string) (int, error) {
	return func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > limit {
			return 0, fmt.Errorf("%q is not a whole number from 1 to %d", s, limit)
		}
		return n, nil
	}
}

func parseChoice(choices ...string) func(string) (string, error) {
	return func(s string) (string, error) {
		for _, c := range choices {
			if s == c {
				return s, nil
			}
		}
		return "", fmt.Errorf("%q is not one of %s", s, strings.Join(choices, ", "))
	}
}

// minHang is the least silence that ends a worker. Any that is busy is silent for
// a part of that, where it waits for a CPU.
const minHang = time.Second

// parseHang reads the limit of silence, or 0s for none.
func parseHang(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	switch {
	case err == nil && d == 0:
		return 0, nil
	case err == nil && d < minHang:
		return 0, fmt.Errorf("%q is too short; give %v or more, or 0s for never", s, minHang)
	}
	return parseDuration(s)
}

func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		if _, numeric := strconv.ParseFloat(s, 64); numeric == nil {
			return 0, fmt.Errorf("%q has no unit; write %ss for seconds", s, s)
		}
		return 0, fmt.Errorf("%q is not a duration such as 30s, 500ms or 2m", s)
	case d <= 0:
		return 0, fmt.Errorf("%q is not longer than nothing; give a duration such as 30s", s)
	}
	return d, nil
}

// minMaxValue is the lowest limit of values in bytes: less would refuse what
// nobody calls large.
const minMaxValue = 1 << 10

func parseRegionSize(s string) (int64, error) {
	n, err := parseSize(s)
	if err == nil && n < shm.MinSize {
		err = fmt.Errorf("%d bytes are too few; give %dMiB or more", n, shm.MinSize>>20)
	}
	return n, err
}

func parseMaxValue(s string) (int64, error) {
	n, err := parseSize(s)
	if err == nil && (n < minMaxValue || n > shm.MaxMaxValue) {
		err = fmt.Errorf("%d bytes; give %dKiB to %dMiB", n, minMaxValue>>10, shm.MaxMaxValue>>20)
	}
	return n, err
}

// minWorkerMemory is what a worker needs at least, with room to serve.
const minWorkerMemory = 16 << 20

func parseWorkerMemory(s string) (int64, error) {
	n, err := parseSize(s)
	if err == nil && n < minWorkerMemory {
		err = fmt.Errorf("%d bytes are too few for a worker; give %dMiB or more", n, minWorkerMemory>>20)
	}
	return n, err
}

// parseSize reads whole bytes or a count of KiB, MiB, GiB or TiB. MB and M
// mean a million bytes to some tools and 1024*1024 to others: they are refused,
// with both readings spelled out, rather than guessed.
func parseSize(s string) (int64, error) {
	digits := strings.TrimRight(s, "kKmMgGtTiIbB ")
	unit := strings.ToLower(strings.TrimSpace(s[len(digits):]))
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q is not a size; write bytes or a whole number of KiB, MiB, GiB or TiB, such as 32MiB", s)
	}
	if unit == "" || unit == "b" {
		return n, nil
	}
	power := strings.IndexByte("kmgt", unit[0]) + 1
	switch {
	case power > 0 && unit[1:] == "ib":
		shift := 10 * power
		if n > (1<<63-1)>>shift {
			return 0, fmt.Errorf("%q is more than 64 bits of bytes", s)
		}
		return n << shift, nil
	case power > 0 && (len(unit) == 1 || unit[1:] == "b"):
		binary := digits + strings.ToUpper(unit[:1]) + "iB"
		return 0, fmt.Errorf("%q could count in 1000s or in 1024s; write %s, or %s%s in bytes",
			s, binary, digits, strings.Repeat("000", power))
	}
	return 0, fmt.Errorf("%q has no known unit; write bytes or KiB, MiB, GiB or TiB, such as 32MiB", s)
}
