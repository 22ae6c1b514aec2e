package e2e_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fondue-server/fondue/internal/e2e"
)

// program is a path whose program can be exchanged, as that of an installed one.
type program struct {
	t    *testing.T
	path string
}

func newProgram(t *testing.T) *program {
	t.Helper()
	p := &program{t, filepath.Join(t.TempDir(), "fondue")}
	p.install(e2e.Binary(t))
	return p
}

// install makes the path lead to another file, in one step.
func (p *program) install(file string) {
	p.t.Helper()
	next := p.path + ".next"
	if err := errors.Join(os.Symlink(file, next), os.Rename(next, p.path)); err != nil {
		p.t.Fatal(err)
	}
}

// write makes an executable file.
func (p *program) write(text string) string {
	p.t.Helper()
	file := filepath.Join(p.t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
		p.t.Fatal(err)
	}
	return file
}

// build makes the server with one line of a source file changed.
func (p *program) build(file, old, text string) string {
	p.t.Helper()
	return buildChanged(p.t, changes{file: {old, text}})
}

// changes are lines of source files to be replaced, in pairs of an old one and the new.
type changes map[string][]string

// buildChanged makes the server with other lines.
func buildChanged(t *testing.T, all changes) string {
	t.Helper()
	root := filepath.Join("..", "..")
	dir := t.TempDir()
	var overlay struct{ Replace map[string]string }
	overlay.Replace = map[string]string{}
	for file, pairs := range all {
		source, err := filepath.Abs(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		code, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+1 < len(pairs); i += 2 {
			if strings.Count(string(code), pairs[i]) != 1 {
				t.Fatalf("%s has not one %q", file, pairs[i])
			}
			code = []byte(strings.Replace(string(code), pairs[i], pairs[i+1], 1))
		}
		changed := filepath.Join(dir, filepath.Base(file))
		overlay.Replace[source] = changed
		if err := os.WriteFile(changed, code, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	overlayFile, binary := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "fondue")
	if err := os.WriteFile(overlayFile, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-overlay", overlayFile, "-o", binary, "./cmd/server")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}
