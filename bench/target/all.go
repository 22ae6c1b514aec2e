package target

import (
	"fmt"
	"slices"
	"strings"
)

// Binaries are the programs that are measured and that this project builds.
type Binaries struct {
	Fondue, Constant, GoRedis string
	Region                    int64 // bytes of Fondue's region; 0: its default
	Connections               int   // the most that a load has; 0: few
}

// All is every target at each number of workers, the nearest ones first, Fondue in the
// given variants besides the ready ones.
func All(b Binaries, workers []int, variants ...Variant) []Target {
	var all []Target
	for _, n := range workers {
		for _, v := range slices.Concat(ready, variants) {
			all = append(all, Fondue{b.Fondue, n, v, b.Region})
		}
		all = append(all, Constant{b.Constant, n}, Nginx{Workers: n, Connections: b.Connections}, Nginx{Workers: n, Constant: true, Connections: b.Connections})
	}
	all = append(all, GoRedis{b.GoRedis})
	for _, n := range workers {
		for _, store := range []string{"global", "redis", "manager", "manager-lock", "syncmanager", "postgres", "sqlite"} {
			all = append(all, FastAPI{store, n})
		}
	}
	return all
}

// Named are those whose names begin with one of the given ones; none is all. An
// error lists what there is.
func Named(all []Target, names []string) ([]Target, error) {
	if len(names) == 0 {
		return all, nil
	}
	var picked []Target
	var known []string
	for _, t := range all {
		known = append(known, t.Describe().Name)
	}
	for _, name := range names {
		before := len(picked)
		for i, t := range all {
			if (known[i] == name || strings.HasPrefix(known[i], name+"/")) && !slices.Contains(picked, t) {
				picked = append(picked, t)
			}
		}
		if len(picked) == before {
			return nil, fmt.Errorf("no target %q; there are %s", name, strings.Join(known, ", "))
		}
	}
	return picked, nil
}
