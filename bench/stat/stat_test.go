package stat

import (
	"math"
	"testing"
)

var none = math.NaN()

func near(got, want float64) bool {
	return math.IsNaN(got) && math.IsNaN(want) || got == want || math.Abs(got-want) < 1e-9
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		values []float64
		q      float64
		want   float64
	}{
		{"lowest", []float64{4, 1, 3, 2}, 0, 1},
		{"between two", []float64{4, 1, 3, 2}, 0.5, 2.5},
		{"highest", []float64{4, 1, 3, 2}, 1, 4},
		{"a quarter", []float64{10, 20, 30, 40, 50}, 0.25, 20},
		{"one value", []float64{7}, 0.9, 7},
		{"without what is no number", []float64{none, 5, math.Inf(1)}, 0.5, 5},
		{"nothing", nil, 0.5, none},
	}
	for _, c := range cases {
		if got := Quantile(c.values, c.q); !near(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestSpread(t *testing.T) {
	t.Parallel()
	values := []float64{3, none, 1, 10}
	if got, want := Of(values), (Spread{3, 3, 1, 10}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if values[0] != 3 {
		t.Error("the caller's values were sorted")
	}
	if got := Of(nil); got.N != 0 || !math.IsNaN(got.Median) {
		t.Errorf("of nothing: %+v", got)
	}
}

func TestRatios(t *testing.T) {
	t.Parallel()
	got := Ratios([]float64{2, 9, 5, 1}, []float64{1, 3, 0})
	for i, want := range []float64{2, 3, none} {
		if !near(got[i], want) {
			t.Errorf("pair %d: %v, want %v", i, got[i], want)
		}
	}
	if len(got) != 3 {
		t.Errorf("%d pairs of 4 and 3 rounds", len(got))
	}
}
