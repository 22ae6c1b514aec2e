package run

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/fondue-server/fondue/bench/result"
)

// TestIdleConnectionsBeside: loads with and without them alternate, each against
// servers of its own, and what hangs up on them is told of.
func TestIdleConnectionsBeside(t *testing.T) {
	t.Parallel()
	a, b := newFake("a"), newFake("b")
	without := short("increment", 1)
	with, other := without, short("report", 1)
	with.Beside = 20
	var progress bytes.Buffer
	report, err := measure(t, t.Context(), &progress, []result.Load{without, with, other}, a, b)
	if err != nil {
		t.Fatal(err)
	}
	var order, cells []string
	for line := range strings.Lines(progress.String()) {
		_, rest, found := strings.Cut(line, "left] ")
		if what, _, ended := strings.Cut(rest, " round "); found && ended && strings.HasPrefix(what, "increment/") {
			order = append(order, strings.TrimPrefix(what, without.Name()))
		}
	}
	turn := []string{" a", "/beside-idle=20 a", " b", "/beside-idle=20 b"}
	back := slices.Clone(turn)
	slices.Reverse(back)
	if want := slices.Concat(turn, back, turn); !slices.Equal(order, want) {
		t.Errorf("order of the rounds\n%q, want\n%q", order, want)
	}
	for _, c := range report.Cells {
		cells = append(cells, c.Load.Name()+" "+c.Target)
		// The idle ones have asked once for each round.
		if c.Lost() != 0 || c.Load.Beside > 0 && c.Acknowledged < int64(len(c.Rounds)*c.Load.Beside) {
			t.Errorf("%s: %d acknowledged, %d lost", c.Load.Name(), c.Acknowledged, c.Lost())
		}
	}
	want := []string{without.Name() + " a", without.Name() + " b", with.Name() + " a", with.Name() + " b", other.Name() + " a", other.Name() + " b"}
	if !slices.Equal(cells, want) {
		t.Errorf("cells %q, want %q", cells, want)
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	load := func(workload string, connections, beside int) result.Load {
		return result.Load{Workload: workload, Connections: connections, Beside: beside}
	}
	loads := []result.Load{load("a", 1, 0), load("a", 1, 5), load("a", 1, 9), load("a", 2, 0), load("b", 2, 0)}
	var sizes []int
	for _, g := range groups(loads) {
		sizes = append(sizes, len(g))
	}
	if !slices.Equal(sizes, []int{3, 1, 1}) || len(groups(nil)) != 0 {
		t.Errorf("groups of %v", sizes)
	}
}
