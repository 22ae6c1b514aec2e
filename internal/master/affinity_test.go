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

// TestArrivals: connections go by the CPUs that the workers are bound to, or that
// they may use.
func TestArrivals(t *testing.T) {
	t.Parallel()
	usable, err := UsableCPUs()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		Config
		want []int
	}{{Config{CPUs: []int{4, 2}}, []int{4, 2}}, {Config{}, usable}} {
		if got, err := c.arrivals(); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%v, %v; want %v", got, err, c.want)
		}
	}
}
