package report

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fondue-server/fondue/bench/result"
	"github.com/fondue-server/fondue/bench/stat"
)

func TestFormat(t *testing.T) {
	t.Parallel()
	cases := []struct{ got, want string }{
		{whole(1234567.4), "1,234,567"},
		{whole(999.6), "1,000"},
		{whole(-1234), "-1,234"},
		{whole(-0.2), "0"},
		{whole(math.NaN()), nothing},
		{micros(16764), "16.76"},
		{micros(123456), "123.5"},
		{micros(12345678), "12,346"},
		{micros(math.Inf(1)), nothing},
		{mebibytes(3 << 20), "3.00"},
		{mebibytes(0), nothing},
		{ratioText(0.99949), "0.999"},
		{ratioText(0.01234), "0.0123"},
		{ratioText(14.25), "14.2"},
		{spreadText(stat.Of([]float64{1, 2, 3}), whole), "2 (1–3)"},
		{spreadText(stat.Of(nil), whole), nothing},
		{shellText([]string{"nginx", "-g", "daemon off;", "", "it's"}), `nginx -g 'daemon off;' '' 'it'\''s'`},
		{benchmarkText("a  b c"), "a_b_c"},
		{fileText("put/bytes=100/unix"), "put-bytes-100-unix"},
		{versionsText(map[string]string{"go": "go1.26", "a": "1"}), "a 1, go 1.26"},
	}
	for _, c := range cases {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

// A time of waiting that was not measured is none, and not the best of all.
func TestWaitingIsNotKnown(t *testing.T) {
	t.Parallel()
	c := result.Cell{Rounds: []result.Round{{Requests: 10, User: 5}}}
	if text := waited.show(c); text != nothing {
		t.Errorf("%q", text)
	}
	c.Rounds[0].Waited = 20_000
	if text := waited.show(c); text != "2.00 (2.00–2.00)" {
		t.Errorf("%q", text)
	}
}

func TestGrid(t *testing.T) {
	t.Parallel()
	g := &grid{left: 1, head: []string{"name", "µs"}}
	g.add("a_b|c", "1–2")
	g.add("d", nothing)
	var text, markdown bytes.Buffer
	if err := g.text(&text); err != nil {
		t.Fatal(err)
	}
	if want := "name    µs\na_b|c  1–2\nd        –\n"; text.String() != want {
		t.Errorf("%q, want %q", text.String(), want)
	}
	if err := g.markdown(&markdown); err != nil {
		t.Fatal(err)
	}
	if want := "| name | µs |\n|---|---:|\n| a\\_b\\|c | 1–2 |\n| d | – |\n"; markdown.String() != want {
		t.Errorf("%q, want %q", markdown.String(), want)
	}
}

// TestNotes has what a reader must not miss.
func TestNotes(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		change func(*result.Report)
		want   string // "" for no note
	}{
		{"all right", func(r *result.Report) { r.Cells[0].Acknowledged, r.Cells[0].Counted = 10, 10 }, ""},
		{"lost against its word", func(r *result.Report) {
			r.Targets[0].Exact, r.Cells[0].Acknowledged, r.Cells[0].Counted = true, 10, 9
		}, "a: LOST 1 of 10"},
		{"lost as expected", func(r *result.Report) { r.Cells[0].Acknowledged, r.Cells[0].Counted = 10, 5 }, "a: lost 5 of 10 acknowledged increments (50.0 %)"},
		{"counted twice", func(r *result.Report) { r.Cells[0].Acknowledged, r.Cells[0].Counted = 10, 12 }, "a: counted 2 more"},
		{"counted, and the answer broke", func(r *result.Report) {
			r.Cells[0].Acknowledged, r.Cells[0].Counted, r.Cells[0].Rounds[0].Errors = 10, 12, 2
		}, "a: 2 requests failed"},
		{"fell behind", func(r *result.Report) { r.Cells[0].Load.Rate = 1e6 }, "a: answered 100,000 requests/s of the 1,000,000 that were due"},
		{"kept up", func(r *result.Report) { r.Cells[0].Load.Rate = 1e5 }, ""},
		{"cut short", func(r *result.Report) {
			r.Targets = append(r.Targets, result.Target{Name: "b"})
			r.Cells = append(r.Cells, result.Cell{Target: "b", Load: r.Cells[0].Load, Rounds: r.Cells[0].Rounds[:1]})
		}, "b: 1 of 3 rounds only"},
	}
	for _, c := range cases {
		r := small(10, 10, 10)
		c.change(r)
		v, err := New(r, "")
		if err != nil {
			t.Fatal(err)
		}
		notes := v.notes(r.Cells[0].Load)
		if c.want == "" && len(notes) > 0 || c.want != "" && (len(notes) != 1 || !strings.HasPrefix(notes[0], c.want)) {
			t.Errorf("%s: %q, want %q", c.name, notes, c.want)
		}
	}
}

// TestPairs has a machine that becomes slower from round to round: only the ratios
// of the same turn tell the truth.
func TestPairs(t *testing.T) {
	t.Parallel()
	r := small(10, 20, 40, 80)
	r.Targets = append(r.Targets, result.Target{Name: "b"})
	twice := result.Cell{Target: "b", Load: r.Cells[0].Load}
	for _, round := range r.Cells[0].Rounds {
		round.User += time.Duration(float64(round.User))
		twice.Rounds = append(twice.Rounds, round)
	}
	r.Cells = append(r.Cells, twice)
	v, err := New(r, "a")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := v.references(twice.Load)[0].ratio(twice, cpu), (stat.Spread{N: 4, Median: 2, Low: 2, High: 2}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
