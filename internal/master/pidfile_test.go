package master

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func (p *pidFile) inPlace() error { return errors.Join(p.prepare(), p.place()) }

func TestPIDFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	for name, text := range map[string]string{
		"stale": "2147483000\n", "empty": "", "ours": strconv.Itoa(os.Getpid()), "another program": "1\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		p := pidFile{path: path}
		if err := p.prepare(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != text {
			t.Errorf("%s: changed before its place was taken: %q, %v", name, b, err)
		}
		if err := p.place(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != strconv.Itoa(os.Getpid())+"\n" {
			t.Errorf("%s: content %q, %v", name, b, err)
		}
		if err := errors.Join(p.remove(), p.remove()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 0 {
			t.Errorf("%s: left behind: %v, %v", name, entries, err)
		}
	}
	none := pidFile{}
	if err := errors.Join(none.inPlace(), none.remove()); err != nil {
		t.Errorf("no pid file: %v", err)
	}
}

// What another server put in the place stays there.
// TestPIDFileKept: who may not remove the file any more empties it, and only its
// own.
func TestPIDFileKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	p := pidFile{path: path}
	if err := errors.Join(p.prepare(), p.keep(), p.place()); err != nil {
		t.Fatal(err)
	}
	if pid, err := p.read(); err != nil || pid != os.Getpid() {
		t.Errorf("in place: %d, %v", pid, err)
	}
	if err := os.Rename(path, path+".moved"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.clear(); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{path: "1\n", path + ".moved": ""} {
		if b, err := os.ReadFile(file); err != nil || string(b) != want {
			t.Errorf("%s holds %q, %v; want %q", file, b, err, want)
		}
	}
	if err := p.remove(); err != nil {
		t.Error(err)
	}
	none := pidFile{}
	if err := none.keep(); err != nil || none.kept != nil {
		t.Error(err)
	}
}

func TestPIDFileOfAnother(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	for name, replace := range map[string]func() error{
		"another file": func() error {
			return errors.Join(os.Remove(path), os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())), 0o644))
		},
		"another pid in it": func() error { return os.WriteFile(path, []byte("2147483000\n"), 0o644) },
	} {
		p := pidFile{path: path}
		if err := p.inPlace(); err != nil {
			t.Fatal(err)
		}
		mine, err := os.Open(path) // its inode is not given to the next file
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(replace(), p.remove()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		mine.Close()
		if err := os.Remove(path); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPIDFileRefuses: nothing that is no pid file is replaced, removed or waited
// for; the message names the flag.
func TestPIDFileRefuses(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(
		os.WriteFile(at("precious"), []byte("1 is the first line\n"), 0o600),
		os.WriteFile(at("long"), []byte(strings.Repeat("1", 100)), 0o600),
		os.WriteFile(at("stale"), []byte("2147483000\n"), 0o600),
		os.Symlink(at("stale"), at("link")),
		unix.Mkfifo(at("fifo"), 0o600),
		os.Mkdir(at("dir"), 0o700),
	); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		at("precious"):    "something else than a pid",
		at("long"):        "something else than a pid",
		at("link"):        "a symbolic link",
		at("fifo"):        "a named pipe",
		at("dir"):         "a directory",
		os.DevNull:        "a device",
		at("none/pid"):    "no such file or directory; its directory must be there",
		at("precious/in"): "not a directory",
	} {
		p := pidFile{path: path}
		err := p.prepare()
		if err == nil || !strings.HasPrefix(err.Error(), "--pid-file "+path+": ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
		if err := p.remove(); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if after, err := os.ReadDir(dir); err != nil || len(after) != len(before) {
		t.Errorf("files %v, before %v; %v", after, before, err)
	}
	if info, err := os.Lstat(os.DevNull); err != nil || info.Mode().Type()&fs.ModeDevice == 0 {
		t.Errorf("%s: %v, %v", os.DevNull, info, err)
	}
}
