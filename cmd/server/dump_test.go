package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fondue-server/fondue/internal/e2e"
	"github.com/fondue-server/fondue/internal/shm"
)

// mustRun runs a command line that has to succeed, and returns its output.
func mustRun(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	code, stdout, stderr := feed(stdin, nil, args...)
	if code != exitOK || stderr != "" {
		t.Fatalf("%v: code %d, %s", args, code, stderr)
	}
	return stdout
}

// wantRefusal asserts exit code 1, nothing on standard output and one line that
// says all of want.
func wantRefusal(t *testing.T, stdin string, args []string, want ...string) {
	t.Helper()
	code, stdout, stderr := feed(stdin, nil, args...)
	if code != exitFailure || stdout != "" || strings.Count(stderr, "\n") != 1 {
		t.Errorf("%v: code %d, %.200q, %q", args, code, stdout, stderr)
	}
	for _, w := range want {
		if !strings.Contains(stderr, w) {
			t.Errorf("%v: %q does not say %q", args, stderr, w)
		}
	}
}

// sorted has no order of its own to compare.
func sorted(lines string) []string { return slices.Sorted(strings.Lines(lines)) }

// TestDumpAndLoad: from file to file, between regions of different sizes.
func TestDumpAndLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	text := strings.Join([]string{
		`{"key":"lowest","value":-9223372036854775808}`,
		`{"key":"highest","value":9223372036854775807}`,
		`{"key":"float","value":1.50e3}`,
		`{"key":"null","value":null}`,
		`{"key":"object","value":{"a": [1, "\u0000<"]}}`,
		`{"key_base64":"/wD+","value":true}`,
		`{"key":"large","value":"` + strings.Repeat("x", 1<<20-2) + `"}`,
	}, "\n") + "\n"
	if out := mustRun(t, text, "load", "--region", a, "--region-size", "8MiB", "--max-workers", "5"); out != "loaded 7 keys\n" {
		t.Errorf("%q", out)
	}
	first := mustRun(t, "", "dump", "--region", a)
	if !slices.Equal(sorted(first), sorted(text)) {
		t.Errorf("what was dumped is not what was loaded:\n%.500s", first)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte(first), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := mustRun(t, "", "load", "--region", b, "--region-size", "16MiB", file); out != "loaded 7 keys\n" {
		t.Errorf("%q", out)
	}
	if second := mustRun(t, "", "dump", "--region", b); !slices.Equal(sorted(second), sorted(first)) {
		t.Errorf("a dump of what was loaded differs:\n%.500s", second)
	}
	if out := mustRun(t, "", "dump", "--region", b, "--prefix", "l"); strings.Count(out, "\n") != 2 || !strings.Contains(out, "lowest") || !strings.Contains(out, `"large"`) {
		t.Errorf("prefix: %.500s", out)
	}
	for _, path := range []string{a, b} {
		if out := mustRun(t, "", "check", "--region", path); !strings.Contains(out, "7 entries: 0 violations") {
			t.Errorf("%s", out)
		}
	}
	region, err := shm.OpenReadOnly(a)
	if err != nil {
		t.Fatal(err)
	}
	defer region.Close()
	if info := region.Info(); info.Size != 8<<20 || info.Slots != 5 {
		t.Errorf("the region that load made: %+v", info)
	}
}

// TestDumpKeepsTimeToLive, to the millisecond as far as it has not passed.
func TestDumpKeepsTimeToLive(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "r")
	mustRun(t, `{"key":"a","value":1,"ttl":"1h"}`+"\n"+`{"key":"b","value":1,"ttl":3000}`, "load", "--region", path, "--region-size", "4MiB")
	out := sorted(mustRun(t, "", "dump", "--region", path))
	if len(out) != 2 || !strings.HasPrefix(out[0], `{"key":"a","value":1,"ttl":35`) && !strings.HasPrefix(out[0], `{"key":"a","value":1,"ttl":3600}`) ||
		!strings.HasPrefix(out[1], `{"key":"b","value":1,"ttl":29`) && !strings.HasPrefix(out[1], `{"key":"b","value":1,"ttl":3000}`) {
		t.Errorf("%q", out)
	}
}

// reseal changes the first page of a region, and its checksum with it.
func reseal(t *testing.T, path string, change func(page []byte)) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	change(text)
	clear(text[12:16])
	binary.LittleEndian.PutUint32(text[12:], crc32.Checksum(text[:4096], crc32.MakeTable(crc32.Castagnoli)))
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return text
}

// TestUnusableRegions: check, dump and load say what it is and what to do, and
// leave the file as it is.
func TestUnusableRegions(t *testing.T) {
	t.Parallel()
	const line = `{"key":"a","value":1}`
	dir := t.TempDir()
	names := []string{"layout", "boot", "truncated"}
	files := map[string][]byte{}
	for _, name := range names {
		path := filepath.Join(dir, name)
		mustRun(t, line, "load", "--region", path, "--region-size", "2MiB")
		switch name {
		case "layout":
			files[path] = reseal(t, path, func(page []byte) { page[8]++ })
		case "boot":
			files[path] = reseal(t, path, func(page []byte) { page[24]++ })
		case "truncated":
			if err := os.Truncate(path, 1<<20); err != nil {
				t.Fatal(err)
			}
			files[path], _ = os.ReadFile(path)
		}
	}
	foreign := filepath.Join(dir, "foreign")
	files[foreign] = bytes.Repeat([]byte("text"), 1<<12)
	if err := os.WriteFile(foreign, files[foreign], 0o600); err != nil {
		t.Fatal(err)
	}
	otherLayout := []string{"made by a version with another region layout", "fondue dump > FILE", "--fresh", "load --join FILE", "GET /report?key=KEY"}
	for _, c := range []struct {
		path     string
		commands []string
		want     []string
	}{
		{"layout", []string{"check", "dump", "load"}, otherLayout},
		{"boot", []string{"dump", "load"}, []string{"before the last reboot", "not trusted", "sets it aside"}},
		{"truncated", []string{"check", "dump", "load"}, []string{"wrong length"}},
		{"foreign", []string{"check", "dump", "load"}, []string{"not a fondue region"}},
		{"none", []string{"check", "dump"}, []string{"does not exist", "--region"}},
		{".", []string{"check", "dump", "load"}, []string{"not a regular file"}},
	} {
		for _, command := range c.commands {
			path := filepath.Join(dir, c.path)
			wantRefusal(t, line, []string{command, "--region", path}, append(c.want, path)...)
		}
	}
	for _, command := range []string{"dump", "load"} {
		wantRefusal(t, line, []string{command, "--join", "--region", filepath.Join(dir, "none")}, "does not exist")
	}
	for path, want := range files {
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s was changed: %v", path, err)
		}
	}
}

// TestDumpAndLoadBesideAServer: without --join a region in use is refused, with
// it one that is not in use.
func TestDumpAndLoadBesideAServer(t *testing.T) {
	t.Parallel()
	s := e2e.Start(t, e2e.Options{})
	s.Do("PUT", "/v1/keys/a", `{"b":1}`).WantStatus(201)
	for command, says := range map[string]string{"dump": "--join dumps it while it runs", "load": "--join loads into it while it runs"} {
		wantRefusal(t, `{"key":"x","value":1}`, []string{command, "--region", s.Region}, fmt.Sprint("pid ", s.PID), says)
	}
	s.Get("/v1/keys/x").WantStatus(404)
	if out := mustRun(t, "", "dump", "--join", "--region", s.Region); out != `{"key":"a","value":{"b":1}}`+"\n" {
		t.Errorf("%q", out)
	}
	if out := mustRun(t, `{"key":"a","value":1}`+"\n"+`{"key":"c","value":2}`, "load", "--join", "--if-absent", "--region", s.Region, "-"); out != "loaded 1 key, kept 1\n" {
		t.Errorf("%q", out)
	}
	s.Get("/v1/keys/a").WantBody(`{"b":1}`)
	s.Get("/v1/keys/c").WantBody("2")
	s.Stop()
	for _, command := range []string{"dump", "load"} {
		wantRefusal(t, `{"key":"x","value":1}`, []string{command, "--join", "--region", s.Region}, "no running master", "without --join")
	}
	if out := mustRun(t, "", "dump", "--region", s.Region); strings.Count(out, "\n") != 2 {
		t.Errorf("%q", out)
	}
}

// TestDumpIntoNothing: a dump that could not be written is a failure.
func TestDumpIntoNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "r")
	mustRun(t, `{"key":"a","value":"`+strings.Repeat("x", 1<<17)+`"}`, "load", "--region", path, "--region-size", "4MiB")
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	var stderr bytes.Buffer
	p := process{stdout: full, stderr: &stderr, lookup: func(string) (string, bool) { return "", false }}
	if code := p.run([]string{"dump", "--region", path}); code != exitFailure || !strings.Contains(stderr.String(), "the dump cannot be written") {
		t.Errorf("code %d, %q", code, stderr.String())
	}
	mustRun(t, "", "dump", "--region", path) // it has left the region
}
