package metrics

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
)

// section is what a document says below a heading, up to the next one of its rank.
func section(t *testing.T, document, heading string) string {
	t.Helper()
	_, rest, found := strings.Cut(document, "\n"+heading+"\n")
	if !found {
		t.Fatalf("no heading %s", heading)
	}
	rank, _, _ := strings.Cut(heading, " ")
	text, _, _ := strings.Cut(rest, "\n"+rank+" ")
	return text
}

// rows are the cells of a section's table, without its head.
func rows(t *testing.T, section string) (all [][]string) {
	t.Helper()
	for line := range strings.Lines(section) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "|") {
			cells := strings.Split(strings.Trim(line, "|"), " | ")
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			all = append(all, cells)
		}
	}
	if len(all) < 3 {
		t.Fatal("no table")
	}
	return all[2:]
}

// TestDocumentedMetrics: the table of the metrics has each that is written, of its type
// and with its labels, and no other.
func TestDocumentedMetrics(t *testing.T) {
	t.Parallel()
	snapshot := Take(busy(t))
	families := parse(t, snapshot.Append(nil, Text))
	for _, cells := range rows(t, section(t, read(t, operations), "## Metrics")) {
		name := strings.Trim(cells[0], "`")
		family := families[name]
		if family == nil {
			t.Errorf("%s is there twice, or not written", name)
			continue
		}
		delete(families, name)
		var labels []string
		for _, l := range family.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		want := strings.ToLower(family.GetType().String())
		if len(labels) > 0 {
			slices.Sort(labels)
			want += ": " + strings.Join(labels, ", ")
		}
		got := cells[1]
		if kind, list, is := strings.Cut(got, ": "); is {
			documented := strings.Split(list, ", ")
			slices.Sort(documented)
			got = kind + ": " + strings.Join(documented, ", ")
		}
		if got != want {
			t.Errorf("%s is %s, and documented as %s", name, want, cells[1])
		}
		if len(cells) != 4 || slices.Contains(cells, "") {
			t.Errorf("%s: %d cells, want name, type, meaning and what is normal", name, len(cells))
		}
		if unit := unitOf(family); unit != "" && len(cells) > 2 && !strings.Contains(cells[2], unit) && !strings.Contains(cells[2], "when") {
			t.Errorf("%s: its unit %s is not in %q", name, unit, cells[2])
		}
	}
	for name := range families {
		t.Errorf("%s is written, and not documented", name)
	}
}

// unitOf is the one at the end of a family's name.
func unitOf(family *dto.MetricFamily) string {
	name := strings.TrimSuffix(family.GetName(), "_total")
	for _, unit := range []string{"seconds", "bytes"} {
		if strings.HasSuffix(name, "_"+unit) {
			return unit
		}
	}
	return ""
}

// TestDocumentedLines: each line of the log that the document explains is in the
// source, with its level.
func TestDocumentedLines(t *testing.T) {
	t.Parallel()
	var source strings.Builder
	for _, dir := range []string{"master", "worker", "logging"} {
		files, err := filepath.Glob("../" + dir + "/*.go")
		if err != nil || len(files) == 0 {
			t.Fatalf("%d files in %s: %v", len(files), dir, err)
		}
		for _, path := range files {
			if text, err := os.ReadFile(path); err != nil {
				t.Fatal(err)
			} else if !strings.HasSuffix(path, "_test.go") {
				source.Write(text)
			}
		}
	}
	levels := map[string]string{}
	for _, call := range regexp.MustCompile(`\.(Debug|Info|Warn|Error)\("([^"]+)"`).FindAllStringSubmatch(source.String(), -1) {
		levels[call[2]] = strings.ToLower(call[1])
	}
	for _, cells := range rows(t, section(t, read(t, operations), "## Logs")) {
		message := strings.TrimSpace(strings.Trim(cells[0], "`"))
		if strings.HasPrefix(cells[0], "``") {
			message = strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(cells[0], "``"), "``"))
		}
		level, logged := levels[message]
		if !logged && strings.Contains(source.String(), `= "`+message+`"`) {
			continue // it is logged from a variable
		}
		if !logged || len(cells) < 3 || level != cells[1] {
			t.Errorf("%q is logged at level %q, and documented as %q", message, level, cells[1])
		}
	}
}

// TestLinksOfOperations: what the document links to is there.
func TestLinksOfOperations(t *testing.T) {
	t.Parallel()
	text := read(t, operations)
	for _, link := range regexp.MustCompile(`\]\(([^)#]*)(?:#([^)]*))?\)`).FindAllStringSubmatch(text, -1) {
		target := text
		if link[1] != "" {
			path := filepath.Join(filepath.Dir(operations), link[1])
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s: %v", link[0], err)
				continue
			}
			if link[2] == "" {
				continue
			}
			target = read(t, path)
		}
		if !slices.Contains(headings(target), link[2]) {
			t.Errorf("%s leads to no heading", link[0])
		}
	}
}
