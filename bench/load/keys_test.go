package load

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	const draws = 400_000
	uniform := func(int) float64 { return 1 }
	cases := []struct {
		workload string
		n        int
		weight   func(int) float64
	}{
		{"increment", 1, uniform},
		{"increment-uniform", 50, uniform},
		{"increment-zipf", 50, func(k int) float64 { return math.Pow(float64(k+1), -zipfExponent) }},
	}
	for _, c := range cases {
		keys := newKeys(c.workload, c.n, rand.New(rand.NewPCG(3, 4)))
		drawn := make([]float64, c.n)
		for range draws {
			drawn[keys.next()]++
		}
		var sum, chi float64
		for k := range c.n {
			sum += c.weight(k)
		}
		for k, got := range drawn {
			want := draws * c.weight(k) / sum
			chi += (got - want) * (got - want) / want
		}
		// Of 49 degrees of freedom: 85.4 is exceeded once in a thousand seeds, and
		// this seed stays.
		if chi > 85.4 {
			t.Errorf("%s of %d keys: chi squared %.1f", c.workload, c.n, chi)
		}
	}
}

func TestMixedIsOneIncrementInTen(t *testing.T) {
	t.Parallel()
	m := newMixer("mixed", rand.New(rand.NewPCG(5, 6)))
	var drawn [kinds]int
	for range 100_000 {
		drawn[m.next()]++
	}
	if n := drawn[increment]; n < 9_600 || n > 10_400 || n+drawn[report] != 100_000 {
		t.Errorf("increments and others: %v", drawn)
	}
}
