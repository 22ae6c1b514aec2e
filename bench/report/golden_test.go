package report

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/fondue-server/fondue/bench/result"
)

var update = flag.Bool("update", false, "write the files of testdata anew: the made-up reports, and what is made of them")

// read returns a report of testdata: sample, and newer, in which fondue takes less
// of the CPU and the whole machine has a slower hour.
func read(t *testing.T, name string) *result.Report {
	t.Helper()
	path := filepath.Join("testdata", name+".json")
	if *update {
		made := sample(1, 1, 1)
		if name == "newer" {
			made = sample(2, 0.6, 1.12)
			made.Machine.Kernel, made.Versions["fondue"] = "6.18.3", "0.5.0"
		}
		var text bytes.Buffer
		if err := made.Write(&text); err != nil {
			t.Fatal(err)
		}
		// Tests run side by side: each sees a whole file.
		if err := os.WriteFile(path+"."+t.Name(), text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+"."+t.Name(), path); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, err := result.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func view(t *testing.T, name string, baselines ...string) *View {
	t.Helper()
	v, err := New(read(t, name), baselines...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// golden compares what is written with a file of testdata.
func golden(t *testing.T, name string, write func(io.Writer) error) string {
	t.Helper()
	var got bytes.Buffer
	if err := write(&got); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		g, w := strings.Split(got.String(), "\n"), strings.Split(string(want), "\n")
		for i := range max(len(g), len(w)) {
			if i >= len(g) || i >= len(w) || g[i] != w[i] {
				t.Errorf("line %d of %s is\n%s\nwant\n%s\n(-update, if that is right)", i+1, name, strings.Join(g[i:min(i+1, len(g))], ""), strings.Join(w[i:min(i+1, len(w))], ""))
				break
			}
		}
	}
	return got.String()
}

func TestTable(t *testing.T) {
	t.Parallel()
	golden(t, "table.golden", view(t, "sample", "constant-2").Table)
}

func TestTableWithoutBaseline(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	if err := view(t, "sample", "").Table(&text); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text.String(), "÷ constant") {
		t.Error("ratios to a baseline that nobody chose")
	}
}

func TestMarkdown(t *testing.T) {
	t.Parallel()
	golden(t, "page.golden.md", func(w io.Writer) error {
		return view(t, "sample", "constant-2", "nginx-lua").Markdown(w, []string{"plots/rate.svg"})
	})
}

func TestBenchmarkLines(t *testing.T) {
	t.Parallel()
	text := golden(t, "benchmark.golden", func(w io.Writer) error { return Benchmark(w, read(t, "sample")) })
	// https://go.dev/design/14313-benchmark-format
	format := regexp.MustCompile(`^(Benchmark[A-Z]\S*-\d+ [1-9]\d*( -?\d+(\.\d+)? \S+)+|# .*|[a-z]+: .*|Unit \S+ \w+=\w+|)$`)
	for line := range strings.Lines(text) {
		if line = strings.TrimSuffix(line, "\n"); !format.MatchString(line) {
			t.Fatalf("not a line of a benchmark: %q", line)
		}
	}
}

func TestUnknownBaseline(t *testing.T) {
	t.Parallel()
	if _, err := New(read(t, "sample"), "apache"); err == nil || !strings.Contains(err.Error(), "fondue-2") {
		t.Errorf("error %v, want one that names the targets", err)
	}
}
