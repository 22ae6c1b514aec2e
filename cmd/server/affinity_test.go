package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/fondue-server/fondue/internal/master"
)

func TestParseAffinity(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]affinity{
		"off": {}, "auto": {auto: true}, "3": {cpus: []int{3}}, "0,2, 4-6": {cpus: []int{0, 2, 4, 5, 6}}, "1,0,1": {cpus: []int{1, 0, 1}},
	} {
		if a, err := parseAffinity(text); err != nil || a.auto != want.auto || !slices.Equal(a.cpus, want.cpus) {
			t.Errorf("%q: %+v, %v", text, a, err)
		}
	}
	for _, text := range []string{"", "on", "1,", "-1", "3-1", "1-", "1-2-3", "0x1", "1024", "0-99999999"} {
		if a, err := parseAffinity(text); err == nil {
			t.Errorf("%q passes as %+v", text, a)
		}
	}
}

func TestAffinityOfThisProcess(t *testing.T) {
	t.Parallel()
	usable, err := master.UsableCPUs()
	if err != nil || len(usable) == 0 {
		t.Fatal(usable, err)
	}
	for a, want := range map[string][]int{"off": nil, "auto": usable, ranges(usable): usable} {
		parsed, err := parseAffinity(a)
		if err != nil {
			t.Fatal(err)
		}
		if cpus, err := parsed.settle(); err != nil || !slices.Equal(cpus, want) {
			t.Errorf("%s: %v, %v", a, cpus, err)
		}
	}
	if cpus, err := (affinity{cpus: []int{maxCPU}}).settle(); err == nil || !strings.Contains(err.Error(), "CPU 1023; it may use "+ranges(usable)) {
		t.Errorf("%v, %v", cpus, err)
	}
	for want, numbers := range map[string][]int{"": nil, "5": {5}, "0-3": {0, 1, 2, 3}, "0,2-3,9": {0, 2, 3, 9}} {
		if got := ranges(numbers); got != want {
			t.Errorf("%v is written %q", numbers, got)
		}
	}
}
