package main

import (
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"maps"
	"path/filepath"
	"strings"
	"testing"
)

// own are the settings in which the yardstick may differ: what is called, and
// not how bytes are moved.
var own = map[string]bool{
	"Handler": true, "ErrorHandler": true, "ExpectHandler": true, "ConnState": true, "Logger": true,
}

// limits are the settings that both must have, to whatever value: a worker's
// comes from a flag, and no request of the comparison gets near it.
var limits = map[string]bool{"MaxRequestBodySize": true}

// TestSettingsAreTheWorkers: the yardstick measures the price of the region
// only while its server is set as a worker's is. The sources are compared,
// because this package imports nothing internal.
func TestSettingsAreTheWorkers(t *testing.T) {
	here := settings(t, ".", nil)
	names := constants(t, "../../internal/httpapi", "httpapi.")
	worker := settings(t, "../../internal/worker", names)
	if len(worker) < 5 {
		t.Fatalf("settings of a worker: %v", worker)
	}
	if !maps.Equal(here, worker) {
		t.Errorf("settings differ\nyardstick %v\nworker    %v", here, worker)
	}
}

// settings returns the fields of the one fasthttp.Server literal in a package,
// with named constants replaced by what they stand for.
func settings(t *testing.T, dir string, names map[string]string) map[string]string {
	t.Helper()
	known := constants(t, dir, "")
	maps.Copy(known, names)
	var found map[string]string
	each(t, dir, func(n ast.Node) {
		literal, ok := n.(*ast.CompositeLit)
		if !ok || literal.Type == nil || text(t, literal.Type) != "fasthttp.Server" {
			return
		}
		if found != nil {
			t.Fatalf("%s has two servers", dir)
		}
		found = map[string]string{}
		for _, element := range literal.Elts {
			pair, ok := element.(*ast.KeyValueExpr)
			if !ok {
				t.Fatalf("%s: a server is set without field names", dir)
			}
			name, value := text(t, pair.Key), text(t, pair.Value)
			if own[name] {
				continue
			}
			if meaning, ok := known[value]; ok {
				value = meaning
			}
			if limits[name] {
				value = "a limit"
			}
			found[name] = value
		}
	})
	if found == nil {
		t.Fatalf("%s has no fasthttp.Server literal", dir)
	}
	return found
}

// constants returns the constants of a package, as written.
func constants(t *testing.T, dir, prefix string) map[string]string {
	t.Helper()
	values := map[string]string{}
	each(t, dir, func(n ast.Node) {
		declaration, ok := n.(*ast.GenDecl)
		if !ok || declaration.Tok != token.CONST {
			return
		}
		for _, spec := range declaration.Specs {
			value := spec.(*ast.ValueSpec)
			for i, name := range value.Names {
				if i < len(value.Values) {
					values[prefix+name.Name] = text(t, value.Values[i])
				}
			}
		}
	})
	return values
}

// each visits every node of a package's sources, tests left out.
func each(t *testing.T, dir string, visit func(ast.Node)) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if n != nil {
				visit(n)
			}
			return true
		})
	}
}

func text(t *testing.T, n ast.Node) string {
	t.Helper()
	var b strings.Builder
	if err := printer.Fprint(&b, token.NewFileSet(), n); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
