package lint

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"path"
	"slices"
	"strings"
)

const maxLines = 400

// unsafeHomes are the packages with files that may: the region's memory, and the
// system calls that move bytes.
var unsafeHomes = []string{"internal/shm", "internal/socket"}

func unsafeRule(s source) []string {
	base := strings.TrimSuffix(strings.TrimSuffix(path.Base(s.path), ".go"), "_test")
	if slices.Contains(unsafeHomes, s.dir()) && strings.HasSuffix(base, "_unsafe") {
		return nil
	}
	var found []string
	for _, target := range s.imports() {
		if target == "unsafe" {
			found = append(found, s.path+": unsafe belongs to *_unsafe.go of internal/shm and internal/socket")
		}
	}
	if bytes.Contains(s.text, []byte("\n//go:linkname ")) {
		found = append(found, s.path+": go:linkname is unsafe by another name: *_unsafe.go of internal/shm and internal/socket")
	}
	return found
}

// processCalls are what only the command itself may do, by package and name.
var processCalls = map[string][]string{
	"os": {"Exit", "Getenv", "LookupEnv", "Environ", "Setenv", "Unsetenv", "ExpandEnv"},
}

// environmentPassers may read the whole environment, to hand it to a child.
var environmentPassers = []string{"internal/e2e"}

func processRule(s source) []string {
	if s.dir() == "cmd/server" || strings.HasPrefix(s.path, "bench/") || s.isTest() || slices.Contains(environmentPassers, s.dir()) {
		return nil
	}
	imports := s.imports()
	var found []string
	for _, target := range imports {
		if target == "flag" || target == "github.com/spf13/pflag" {
			found = append(found, s.path+": flags are read in cmd/server; take a Config")
		}
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if left, ok := selector.X.(*ast.Ident); ok && slices.Contains(processCalls[imports[left.Name]], selector.Sel.Name) {
			found = append(found, fmt.Sprintf("%s: %s.%s belongs to cmd/server", s.line(n.Pos()), left.Name, selector.Sel.Name))
		}
		return true
	})
	return found
}

func initRule(s source) []string {
	var found []string
	for _, d := range s.file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
			found = append(found, s.line(f.Pos())+": init acts because of an import; call it from where it is needed")
		}
	}
	return found
}

func lengthRule(s source) []string {
	lines := bytes.Count(s.text, []byte("\n"))
	if lines <= maxLines {
		return nil
	}
	for line := range bytes.Lines(s.text) {
		if reason, ok := bytes.CutPrefix(line, []byte("//fondue:long ")); ok && len(bytes.TrimSpace(reason)) > 0 {
			return nil
		}
	}
	return []string{fmt.Sprintf("%s: %d lines; split it by noun, or say why not in a line //fondue:long <reason>", s.path, lines)}
}

var emptyNames = []string{"util", "utils", "common", "helper", "helpers", "misc", "shared", "base", "lib"}

func nameRule(s source) []string {
	if name := strings.TrimSuffix(s.file.Name.Name, "_test"); slices.Contains(emptyNames, name) {
		return []string{fmt.Sprintf("%s: a package called %s says nothing; name it by what it holds", s.path, name)}
	}
	return nil
}

func gofmtRule(s source) []string {
	formatted, err := format.Source(s.text)
	if err != nil {
		return []string{s.path + ": " + err.Error()}
	}
	if !bytes.Equal(formatted, s.text) {
		return []string{s.path + ": not as gofmt writes it; run make fmt"}
	}
	return nil
}
