package shm

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// storing are the methods of sync/atomic's types that store, but for Add, which
// time.Time has as well.
var storing = map[string]bool{"Store": true, "Swap": true, "CompareAndSwap": true, "And": true, "Or": true}

// storesOf lists where a source stores by an atomic.
func storesOf(t *testing.T, name string, src any) (at []string) {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, src, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if method, ok := call.Fun.(*ast.SelectorExpr); ok && storing[method.Sel.Name] {
				at = append(at, files.Position(call.Pos()).String())
			}
		}
		return true
	})
	return at
}

// Every store to a region is a crash point because it goes through write.go.
func TestStoresGoThroughWrite(t *testing.T) {
	if len(storesOf(t, "bad.go", "package p\nfunc f() { x.seq.Store(1) }")) != 1 {
		t.Fatal("a store is not found")
	}
	names, err := filepath.Glob("*.go")
	if err != nil || len(names) < 20 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		if name == "write.go" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range storesOf(t, name, src) {
			t.Errorf("%s stores to the region past write.go", at)
		}
	}
}
