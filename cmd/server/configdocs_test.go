package main

import (
	"cmp"
	"os"
	"strings"
	"testing"
)

// TestDocumentedSettings: docs/config.md has a row for each setting that a file
// may hold, with its default and with when a change counts, and no other.
func TestDocumentedSettings(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/config.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		if name, rest, ok := strings.Cut(strings.TrimPrefix(line, "| `"), "` | "); ok && strings.HasPrefix(line, "| `") {
			rows[name] = strings.Split(strings.TrimSuffix(strings.TrimSpace(rest), " |"), " | ")
		}
	}
	for o := range newServeOptions().flags().options() {
		if !o.kept {
			continue
		}
		fallback, when := cmp.Or(o.fallback, "none"), "at the next start"
		if o.arg == "" {
			fallback = "false"
		}
		if o.live {
			when = "on a reload"
		}
		row := rows[o.name]
		delete(rows, o.name)
		if len(row) != 3 || row[1] != fallback || row[2] != when {
			t.Errorf("%s: %q; want a value, %q, %q", o.name, row, fallback, when)
		}
	}
	if len(rows) > 0 {
		t.Errorf("rows of no setting: %q", rows)
	}
}

// TestDocumentedConfig: the example is a good file.
func TestDocumentedConfig(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/config.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```toml\n")
	example, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("no example")
	}
	c := configure(t, nil, "--config", configFile(t, example))
	if len(c.Listen) != 2 || c.Workers != 4 || !c.Evict || c.MaxRequests != 1e6 || string(c.Args) != `{"limits":{"n":10},"model":"small"}` {
		t.Errorf("%+v, args %s", c, c.Args)
	}
}
