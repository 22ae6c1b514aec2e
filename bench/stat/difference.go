package stat

import (
	"math"
	"slices"
)

// exactUpTo is the size of a sample to which the distribution of U is counted out,
// in milliseconds; beyond it the normal distribution is as good.
const exactUpTo = 40

// Difference is what two independent samples say of each other.
type Difference struct {
	// Ratio is the median of all b/a (the estimate of Hodges and Lehmann), and Low to
	// High its interval at the confidence asked for. Both are 0 and +Inf where the
	// samples are too small for any interval.
	Ratio, Low, High float64
	// P is the two-sided probability of samples as far apart as these if both had one
	// distribution (Mann-Whitney U). Without ties, P <= 1-confidence if and only if the
	// interval leaves out 1.
	P float64
	// Least is the lowest P that samples of these sizes could have had.
	Least float64
}

// Compare compares b with a. Values must be above 0.
func Compare(a, b []float64, confidence float64) Difference {
	a, b = finite(a), finite(b)
	d := Difference{Ratio: math.NaN(), High: math.Inf(1), P: 1, Least: 1}
	if len(a) == 0 || len(b) == 0 {
		return d
	}
	ratios := make([]float64, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			ratios = append(ratios, y/x)
		}
	}
	slices.Sort(ratios)
	d.Ratio = Median(ratios)
	if k := order(len(a), len(b), 1-confidence); k > 0 {
		d.Low, d.High = ratios[k-1], ratios[len(ratios)-k]
	}
	d.P = MannWhitney(a, b)
	d.Least = min(1, 2*math.Exp(-logChoose(len(a)+len(b), len(a))))
	return d
}

// MannWhitney is the two-sided P of the test of that name: exact, ties included, up
// to exactUpTo values in each sample, by the normal distribution beyond.
func MannWhitney(a, b []float64) float64 {
	a, b = finite(a), finite(b)
	n, m := len(a), len(b)
	if n == 0 || m == 0 {
		return 1
	}
	ranks := doubledRanks(append(slices.Clone(a), b...))
	sum := 0
	for _, r := range ranks[:n] {
		sum += r
	}
	// The mean of the doubled rank sum, a whole number.
	mean := n * (n + m + 1)
	if n > exactUpTo || m > exactUpTo {
		return normal(ranks, n, m, sum-mean)
	}
	far := abs(sum - mean)
	var beyond, all float64
	for s, ways := range rankSums(ranks, n) {
		all += ways
		if abs(s-mean) >= far {
			beyond += ways
		}
	}
	return min(1, beyond/all)
}

// doubledRanks are twice the ranks, so that the ranks of ties, which share their
// mean, are whole numbers too.
func doubledRanks(values []float64) []int {
	sorted := slices.Sorted(slices.Values(values))
	ranks := make([]int, len(values))
	for i, v := range values {
		first, _ := slices.BinarySearch(sorted, v)
		after, _ := slices.BinarySearchFunc(sorted, v, func(element, v float64) int {
			if element <= v {
				return -1
			}
			return 1
		})
		ranks[i] = first + 1 + after
	}
	return ranks
}

// rankSums counts, for each sum, the choices of n of the ranks that have it.
func rankSums(ranks []int, n int) []float64 {
	total := 0
	for _, r := range ranks {
		total += r
	}
	ways := make([][]float64, n+1) // by how many are chosen, by their sum
	for i := range ways {
		ways[i] = make([]float64, total+1)
	}
	ways[0][0] = 1
	for _, r := range ranks {
		// Downwards, so that no rank is chosen twice.
		for chosen := n; chosen > 0; chosen-- {
			for s := r; s <= total; s++ {
				ways[chosen][s] += ways[chosen-1][s-r]
			}
		}
	}
	return ways[n]
}

// order is the rank of the pairwise ratio at which the interval begins, counted from
// 1 and from either end; 0 for none. alpha is the share of both tails.
func order(n, m int, alpha float64) int {
	if n > exactUpTo || m > exactUpTo {
		deviation := math.Sqrt(float64(n*m*(n+m+1)) / 12)
		z := math.Sqrt2 * math.Erfinv(1-alpha)
		return max(0, int(float64(n*m)/2-z*deviation+0.5))
	}
	ranks := make([]int, n+m)
	for i := range ranks {
		ranks[i] = i + 1
	}
	ways := rankSums(ranks, n)
	var all, tail float64
	for _, w := range ways {
		all += w
	}
	least := n * (n + 1) / 2 // the sum where U is 0
	for k := 0; least+k < len(ways); k++ {
		tail += ways[least+k]
		if tail/all > alpha/2 {
			return k
		}
	}
	return 0
}

// normal approximates P, with the correction for ties and for continuity.
func normal(ranks []int, n, m, doubledDistance int) float64 {
	total := float64(n + m)
	count := map[int]float64{}
	for _, r := range ranks {
		count[r]++
	}
	var ties float64
	for _, t := range count {
		ties += t*t*t - t
	}
	variance := float64(n*m) / 12 * (total + 1 - ties/(total*(total-1)))
	if variance == 0 {
		return 1 // all values are the same
	}
	distance := max(0, math.Abs(float64(doubledDistance))/2-0.5)
	return min(1, math.Erfc(distance/math.Sqrt(2*variance)))
}

func logChoose(n, k int) float64 {
	of := func(x int) float64 { l, _ := math.Lgamma(float64(x + 1)); return l }
	return of(n) - of(k) - of(n-k)
}

func abs(x int) int { return max(x, -x) }
