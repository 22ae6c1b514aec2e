package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLoadChangesNothingOnABadLine: nor does it make a region.
func TestLoadChangesNothingOnABadLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	there, none := filepath.Join(dir, "there"), filepath.Join(dir, "none")
	mustRun(t, `{"key":"a","value":1}`, "load", "--region", there, "--region-size", "4MiB")
	good := `{"key":"a","value":2}` + "\n" + `{"key":"b","value":2}` + "\n"
	for bad, says := range map[string]string{
		`{"key":"c","val`:                                            "cut off", // an interrupted dump
		`{"key":"c","value":2,"expires":1}`:                          `"expires" is unknown`,
		`{"key":"c","value":"` + strings.Repeat("x", 1<<20-1) + `"}`: "1048577 bytes, at most 1048576; raise --max-value",
	} {
		file := filepath.Join(dir, "file")
		if err := os.WriteFile(file, []byte(good+bad), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{there, none} {
			wantRefusal(t, good+bad, []string{"load", "--region", path, "--region-size", "4MiB"}, "fondue: standard input: line 3: ", says)
			wantRefusal(t, "", []string{"load", "--region", path, file}, "fondue: "+file+": line 3: ", says)
		}
		if out := mustRun(t, "", "dump", "--region", there); out != `{"key":"a","value":1}`+"\n" {
			t.Errorf("after %.40q: %s", bad, out)
		}
		if _, err := os.Stat(none); err == nil {
			t.Errorf("after %.40q there is a region", bad)
		}
	}
	wantRefusal(t, "", []string{"load", "--region", there, filepath.Join(dir, "no file")}, "no file", "no such file")
	wantRefusal(t, "", []string{"load", "--region", there, dir}, "cannot read "+dir+": is a directory")
}

// TestLoadMaxValue: the limit goes into a new region, and not beyond an old one's.
func TestLoadMaxValue(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "r")
	text := `{"key":"a","value":"` + strings.Repeat("x", 3<<20-2) + `"}` + "\n"
	if out := mustRun(t, text, "load", "--region", path, "--region-size", "16MiB", "--max-value", "3MiB"); out != "loaded 1 key\n" {
		t.Errorf("%q", out)
	}
	if out := mustRun(t, "", "dump", "--region", path); out != text {
		t.Errorf("%d bytes of %d", len(out), len(text))
	}
	wantRefusal(t, text, []string{"load", "--region", path}, "line 1", "--max-value")
	wantRefusal(t, text, []string{"load", "--region", path, "--max-value", "32MiB"}, "--max-value", "name a --region that is not there yet")
	small := filepath.Join(dir, "small")
	code, _, stderr := feed(text, nil, "load", "--region", small, "--region-size", "2MiB", "--max-value", "3MiB")
	if code != exitUsage || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "--max-value") || !strings.Contains(stderr, "--region-size") {
		t.Errorf("code %d, %q", code, stderr)
	}
	// Without the flag a new region takes what fits it, and the rest is refused.
	wantRefusal(t, `{"key":"a","value":"`+strings.Repeat("x", 1<<20-2)+`"}`, []string{"load", "--region", small, "--region-size", "1MiB"}, "line 1", "make a larger region")
	if _, err := os.Stat(small); err == nil {
		t.Error("there is a region")
	}
}

// TestLoadIntoFull: what is loaded stays, and the error says how much that is.
func TestLoadIntoFull(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "r")
	var text strings.Builder
	for i := range 300 {
		fmt.Fprintf(&text, `{"key":"%d","value":"%s"}`+"\n", i, strings.Repeat("x", 10000))
	}
	code, stdout, stderr := feed(text.String(), nil, "load", "--region", path, "--region-size", "1MiB")
	loaded := strings.Count(mustRun(t, "", "dump", "--region", path), "\n")
	if code != exitFailure || stdout != "" || loaded < 10 || strings.Count(stderr, "\n") != 1 {
		t.Errorf("code %d, %d loaded, %q, %q", code, loaded, stdout, stderr)
	}
	for _, want := range []string{fmt.Sprintf("fondue: standard input: line %d: ", loaded+1), "full", "larger region", fmt.Sprintf("%d keys are loaded and stay", loaded)} {
		if !strings.Contains(stderr, want) {
			t.Errorf("%q does not say %q", stderr, want)
		}
	}
	mustRun(t, "", "check", "--region", path)
}
