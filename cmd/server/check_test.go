package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/e2e"
	"github.com/fondue-server/fondue/internal/shm"
)

func TestCheckOnlineAndOffline(t *testing.T) {
	t.Parallel()
	s := e2e.Start(t, e2e.Options{})
	s.Get("/increment?key=a").WantStatus(200)
	if r := e2e.Run(t, []string{"FONDUE_REGION=" + s.Region}, "check"); r.Code != exitOK || !strings.Contains(r.Stdout, "0 violations") {
		t.Errorf("online: %+v", r)
	}
	s.Stop()
	before, err := os.ReadFile(s.Region)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(s.Region, 0o400); err != nil {
		t.Fatal(err)
	}
	if r := e2e.Run(t, nil, "check", "--region", s.Region); r.Code != exitOK || !strings.Contains(r.Stdout, "1 entry") {
		t.Errorf("offline: %+v", r)
	}
	if after, err := os.ReadFile(s.Region); err != nil || !bytes.Equal(before, after) {
		t.Errorf("check has written: %v", err)
	}
}

func TestCheckFindsDamage(t *testing.T) {
	t.Parallel()
	s := e2e.Start(t, e2e.Options{Damaged: true})
	const key = "to be damaged"
	e2e.Do(t, s.Addrs[0], "PUT", "/v1/keys/to%20be%20damaged", "1").WantStatus(201)
	s.Stop()
	text, err := os.ReadFile(s.Region)
	if err != nil {
		t.Fatal(err)
	}
	// Another key under the hash of this one: nobody would find it again.
	at := bytes.Index(text, []byte(key))
	if at < 0 {
		t.Fatal("the key is not in the file")
	}
	text[at] ^= 1
	if err := os.WriteFile(s.Region, text, 0o600); err != nil {
		t.Fatal(err)
	}
	r := e2e.Run(t, nil, "check", "--region", s.Region)
	if r.Code != exitFailure || !strings.HasPrefix(r.Stdout, "violation: shard ") || r.Stderr != "" {
		t.Errorf("%+v", r)
	}
}

func TestCheckCannotOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	foreign := filepath.Join(dir, "foreign")
	if err := os.WriteFile(foreign, []byte("no region"), 0o600); err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{filepath.Join(dir, "none"): "does not exist", foreign: "not a fondue region", dir: dir, fifo: "not a regular file"} {
		code, stdout, stderr := invoke(nil, "check", "--region", path)
		if code != exitFailure || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, want) {
			t.Errorf("%s: code %d, %q, %q", path, code, stdout, stderr)
		}
	}
}

func TestPrintReport(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	err := printReport(process{stdout: &out}, shm.Info{Path: "r"}, shm.Report{
		Violations: []shm.Violation{{Shard: 2, Offset: 4096, What: "wrong"}},
		Pending:    []string{"shard 1: an insert"}, Busy: []int{3}, Shards: 4, Entries: 1,
	})
	want := "violation: shard 2, offset 4096: wrong\npending: shard 1: an insert\n" +
		"not checked: shard 3 changes faster than it can be read; run check again\n" +
		"r: 4 shards, 1 entry: 1 violation, 1 pending, 1 not checked\n"
	got := out.String()
	out.Reset()
	_ = printReport(process{stdout: &out}, shm.Info{Path: "r", OtherBoot: true, CreatedAt: time.Unix(1e9, 0)}, shm.Report{})
	if got := out.String(); !strings.HasSuffix(got, "written before the last reboot, created 2001-09-09 01:46:40 UTC: the next start sets it aside and begins empty\n") {
		t.Errorf("of another boot: %q", got)
	}
	if got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if asFailure(err).code != exitFailure {
		t.Errorf("error %v", err)
	}
}
