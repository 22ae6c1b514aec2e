package load

import "math/rand/v2"

// zipfExponent is nearly that of YCSB (0.99), and the lowest that the sampler of
// the standard library is good for: of a million keys the first gets 7 % of the
// requests, and the first 600 get half of all.
const zipfExponent = 1.01

// keys says which key is next. It is one connection's.
type keys interface {
	next() int
}

func newKeys(workload string, n int, random *rand.Rand) keys {
	switch {
	case n == 1:
		return oneKey{}
	case workload == "increment-zipf":
		return zipfKeys{rand.NewZipf(random, zipfExponent, 1, uint64(n-1))}
	default:
		return uniformKeys{random, n}
	}
}

type oneKey struct{}

func (oneKey) next() int { return 0 }

type uniformKeys struct {
	random *rand.Rand
	n      int
}

func (k uniformKeys) next() int { return k.random.IntN(k.n) }

// zipfKeys draws the n-th key with a probability in proportion to (1+n)^-zipfExponent.
type zipfKeys struct{ law *rand.Zipf }

func (k zipfKeys) next() int { return int(k.law.Uint64()) }
