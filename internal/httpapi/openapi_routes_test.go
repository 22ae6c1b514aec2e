package httpapi

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/fondue-server/fondue/internal/asset"
)

// TestDescribedRoutes: what the router has is what is described, in both
// directions.
func TestDescribedRoutes(t *testing.T) {
	t.Parallel()
	d := readDescription(t)
	if len(paths) != len(allowed) {
		t.Fatalf("%d paths, and methods of %d", len(paths), len(allowed))
	}
	described, routed := map[string]string{}, map[string]string{}
	for _, path := range d.at("paths").names() {
		described[path] = d.methods(path)
	}
	for which := routeNone + 1; int(which) < len(paths); which++ {
		routed[paths[which]] = (allowed[which] | options).String()
	}
	if !maps.Equal(described, routed) {
		t.Errorf("described and routed are not the same:\n%v\n%v", described, routed)
	}
	// The table that this reads says what the router does.
	for _, o := range d.operations() {
		found, _ := routeOf(o.target())
		if int(found) >= len(paths) || paths[found] != o.path {
			t.Errorf("%s leads to route %d", o.target(), found)
		}
	}
	fixed := slices.DeleteFunc(slices.Collect(maps.Keys(routed)), func(path string) bool { return strings.Contains(path, "{") })
	if inCode := switchedPaths(t); !slices.Equal(inCode, slices.Sorted(slices.Values(fixed))) {
		t.Errorf("the switch has %q", inCode)
	}
}

// switchedPaths reads what the functions route and routeFile compare a path with.
func switchedPaths(t *testing.T) (paths []string) {
	file, err := parser.ParseFile(token.NewFileSet(), "route.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if f, isFunc := n.(*ast.FuncDecl); isFunc {
			return f.Name.Name == "route" || f.Name.Name == "routeFile"
		}
		clause, isClause := n.(*ast.CaseClause)
		if !isClause {
			return true
		}
		for _, e := range clause.List {
			if literal, isLiteral := e.(*ast.BasicLit); isLiteral {
				path, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				paths = append(paths, path)
			}
		}
		return true
	})
	slices.Sort(paths)
	return paths
}

// TestDescribedMethods: each method that a route is not described with is refused
// with those that it is.
func TestDescribedMethods(t *testing.T) {
	t.Parallel()
	d, c := readDescription(t), newClient(t)
	refused := d.at("components", "responses", "MethodNotAllowed")
	for _, o := range d.operations() {
		allow := d.methods(o.path)
		if o.method == "OPTIONS" {
			if response, _ := c.do("OPTIONS "+o.target(), "", ""); response.StatusCode != 204 || response.Header.Get("Allow") != allow {
				t.Errorf("%s: %d, Allow %q", o, response.StatusCode, response.Header.Get("Allow"))
			}
			for _, method := range append([]string{"BREW"}, methodNames...) {
				if slices.Contains(strings.Split(allow, ", "), method) {
					continue
				}
				line := method + " " + o.target()
				response, body := c.do(line, "", "")
				if response.StatusCode != 405 || response.Header.Get("Allow") != allow {
					t.Errorf("%s: %d, Allow %q", line, response.StatusCode, response.Header.Get("Allow"))
				}
				refused.check(line, response, body)
			}
		}
	}
}

// answersFile says whether a file is answered, whatever parameters there are.
func answersFile(o operation) bool {
	_, file := routeOf(o.target())
	return file != nil
}

func routeOf(path string) (route, *asset.File) {
	r := new(request)
	if which := r.route([]byte(path)); which != routeNone {
		return which, nil
	}
	which := r.routeFile([]byte(path))
	return which, r.file
}

// TestDescribedParameters: a route takes what it is described with, and refuses
// every other name.
func TestDescribedParameters(t *testing.T) {
	t.Parallel()
	d := readDescription(t)
	for _, o := range d.operations() {
		for _, p := range o.parameters {
			if p.at("in").text() == "query" && paramOf([]byte(p.at("name").text())) == 0 {
				t.Errorf("%s: %s is unknown", o, p.at("name").text())
			}
		}
		c := newSeededClient(t)
		for _, name := range append([]string{"kee", ""}, paramNames...) {
			value := "x"
			p, described := o.parameter(name)
			if described = described && p.at("in").text() == "query"; described {
				value = exampleOf(p)
			}
			line := o.method + " " + o.target() + "?" + name + "=" + value
			response, body := c.do(line, "", bodyOf(o))
			refused := response.StatusCode == 400
			if ignored := o.method == "OPTIONS" || isProbe(route(slices.Index(paths[:], o.path))) || answersFile(o); ignored {
				described = true
			}
			if refused == described {
				t.Errorf("%s: %d %s", line, response.StatusCode, body)
			}
			if o.method != "HEAD" && refused && !strings.Contains(body, "is unknown here; this route takes") {
				t.Errorf("%s: refused for another reason: %s", line, body)
			}
		}
	}
}

// TestDescribedConditions: a condition is taken where it is described. Elsewhere
// reads ignore it, and changes refuse it.
func TestDescribedConditions(t *testing.T) {
	t.Parallel()
	d := readDescription(t)
	for _, o := range d.operations() {
		for _, name := range []string{"If-Match", "If-None-Match", "If-Unmodified-Since"} {
			line := o.method + " " + o.target()
			if o.path == "/v1/keys" && o.method == "DELETE" {
				line += "?prefix=user:"
			}
			response, body := newSeededClient(t).do(line, name+": wrong\r\n", bodyOf(o))
			_, described := o.parameter(name)
			if want := described && o.method != "OPTIONS" || o.changes(); want != (response.StatusCode == 400) {
				t.Errorf("%s with %s: %d %s", line, name, response.StatusCode, body)
			}
			if supported := !strings.Contains(body, "not supported"); described != supported && o.changes() {
				t.Errorf("%s with %s: %s", line, name, body)
			}
		}
	}
}

// bodyOf is an example of a body that the operation takes, "" for none.
func bodyOf(o operation) string {
	bodies := bodiesOf(o)
	if len(bodies) == 0 {
		return ""
	}
	return bodies[0].text
}
