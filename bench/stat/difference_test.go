package stat

import (
	"math"
	"testing"
)

// TestMannWhitney has its figures from counting out all choices of ranks; the long
// one is the example of R's wilcox.test.
func TestMannWhitney(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		a, b []float64
		want float64
	}{
		{"apart, 3 and 3", []float64{1, 2, 3}, []float64{4, 5, 6}, 0.1},
		{"apart, 4 and 4", []float64{1, 2, 3, 4}, []float64{5, 6, 7, 8}, 1. / 35},
		{"one in between", []float64{1, 2, 3, 4}, []float64{3.5, 5, 6, 7, 8}, 4. / 126},
		{"ties", []float64{1, 1, 2, 2}, []float64{2, 2, 3, 3}, 12. / 70},
		{"a few ties", []float64{1, 2, 2, 5, 7}, []float64{2, 3, 5, 8, 9, 9}, 62. / 462},
		{"of R", []float64{0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46}, []float64{1.15, 0.88, 0.90, 0.74, 1.21}, 764. / 3003},
		{"the same", []float64{5, 5, 5, 5}, []float64{5, 5, 5, 5}, 1},
		{"nothing to compare", []float64{1}, nil, 1},
	}
	for _, c := range cases {
		if got := MannWhitney(c.a, c.b); !near(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if got := MannWhitney(c.b, c.a); !near(got, c.want) {
			t.Errorf("%s, turned round: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestNormalMeetsExact compares the two ways where they hand over.
func TestNormalMeetsExact(t *testing.T) {
	t.Parallel()
	for _, shift := range []float64{0, 4, 9, 15} {
		var a, b []float64
		for i := range exactUpTo {
			a = append(a, float64(i*7%exactUpTo))
			b = append(b, float64(i*11%exactUpTo)+shift+0.5)
		}
		exact := MannWhitney(a, b)
		sum := 0
		ranks := doubledRanks(append(a[:len(a):len(a)], b...))
		for _, r := range ranks[:len(a)] {
			sum += r
		}
		if got := normal(ranks, len(a), len(b), sum-len(a)*(len(a)+len(b)+1)); math.Abs(got-exact) > 0.003 {
			t.Errorf("shift %v: %v by the normal distribution, %v exactly", shift, got, exact)
		}
	}
	var same []float64
	for range exactUpTo + 1 {
		same = append(same, 3)
	}
	if got := MannWhitney(same, same); got != 1 {
		t.Errorf("P of two large samples of one value: %v", got)
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	a := []float64{100, 101, 99, 102, 98, 100.5, 99.5}
	var slower, alike []float64
	for i, v := range a {
		slower = append(slower, v*1.2)
		alike = append(alike, v+float64(i%3-1)*0.7)
	}
	if d := Compare(a, slower, 0.95); math.Abs(d.Ratio-1.2) > 0.01 || d.Low <= 1.1 || d.High >= 1.3 || d.P > 0.001 {
		t.Errorf("a fifth more: %+v", d)
	}
	if d := Compare(a, alike, 0.95); d.Low > 1 || d.High < 1 || d.P < 0.05 {
		t.Errorf("no difference: %+v", d)
	}
	if d := Compare([]float64{1, 2, 3}, []float64{4, 5, 6}, 0.95); !near(d.Least, 0.1) || d.Low != 0 || !math.IsInf(d.High, 1) {
		t.Errorf("three values each cannot be told apart: %+v", d)
	}
	if d := Compare(nil, a, 0.95); d.P != 1 || !math.IsNaN(d.Ratio) {
		t.Errorf("nothing to compare with: %+v", d)
	}
}

// TestIntervalAgreesWithTest moves a sample along another one.
func TestIntervalAgreesWithTest(t *testing.T) {
	t.Parallel()
	a := []float64{100, 104, 109, 115, 122, 130}
	for _, confidence := range []float64{0.9, 0.95, 0.99} {
		for shift := 60.0; shift < 160; shift += 0.7 {
			var b []float64
			for i := range 7 {
				b = append(b, shift+float64(i*i)*1.013)
			}
			d := Compare(a, b, confidence)
			if outside := d.Low > 1 || d.High < 1; outside != (d.P <= 1-confidence+1e-12) {
				t.Fatalf("confidence %v, shift %v: P %v, but %v to %v", confidence, shift, d.P, d.Low, d.High)
			}
		}
	}
}
