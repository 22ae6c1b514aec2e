package master

import (
	"slices"
	"testing"
)

func TestCPUOfASeat(t *testing.T) {
	t.Parallel()
	c := Config{CPUs: []int{4, 2}}
	for number, want := range []int{4, 2, 4, 2} {
		if got := c.cpuOf(&seat{number: number}); !slices.Equal(got, []int{want}) {
			t.Errorf("seat %d is on %v", number, got)
		}
	}
	if got := new(Config).cpuOf(&seat{number: 1}); got != nil {
		t.Errorf("without a choice: %v", got)
	}
}
