package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi/datamodel"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/fondue-server/fondue/internal/apidoc"
)

// description is the document as a program reads it that knows nothing else of
// this server.
type description struct {
	t        testing.TB
	root     any
	compiler *jsonschema.Compiler
	compile  sync.Mutex
}

const documentURL = "http://fondue/openapi.json"

func readDescription(t testing.TB) *description {
	t.Helper()
	root, err := jsonschema.UnmarshalJSON(bytes.NewReader(apidoc.Document.Form(false).Body))
	if err != nil {
		t.Fatal(err)
	}
	d := &description{t: t, root: root, compiler: jsonschema.NewCompiler()}
	d.compiler.AssertFormat()
	d.compiler.AssertContent()
	if err := d.compiler.AddResource(documentURL, root); err != nil {
		t.Fatal(err)
	}
	return d
}

// node is a place in the document.
type node struct {
	d       *description
	pointer string
	value   any // nil: there is none
}

// at follows names and references from the root.
func (d *description) at(names ...string) node { return node{d, "", d.root}.at(names...) }

func (n node) at(names ...string) node {
	for _, name := range names {
		members, _ := n.value.(map[string]any)
		n.pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
		if n.value = members[name]; n.value == nil {
			return n
		}
		n = n.resolve()
	}
	return n
}

func (n node) resolve() node {
	members, _ := n.value.(map[string]any)
	reference, found := members["$ref"].(string)
	if !found {
		return n
	}
	names := strings.Split(strings.TrimPrefix(reference, "#/"), "/")
	to := n.d.at(names...)
	if to.value == nil {
		n.d.t.Fatalf("%s: %s leads nowhere", n.pointer, reference)
	}
	return to
}

func (n node) text() string { text, _ := n.value.(string); return text }

// names are the members of an object, in order.
func (n node) names() []string {
	members, _ := n.value.(map[string]any)
	var names []string
	for name := range members {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (n node) list() (nodes []node) {
	items, _ := n.value.([]any)
	for i, item := range items {
		nodes = append(nodes, node{n.d, n.pointer + "/" + strconv.Itoa(i), item}.resolve())
	}
	return nodes
}

// validate holds a value against the schema that this node is.
func (n node) validate(value any) error {
	n.d.compile.Lock()
	schema, err := n.d.compiler.Compile(documentURL + "#" + n.pointer)
	n.d.compile.Unlock()
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// operation is a method of a path, as described.
type operation struct {
	method, path string
	node         node
	parameters   []node
}

func (o operation) String() string { return o.method + " " + o.path }

// changes tells whether the operation is no read.
func (o operation) changes() bool {
	return !slices.Contains([]string{"GET", "HEAD", "OPTIONS"}, o.method) || o.method == "GET" && (o.path == "/increment" || o.path == "/reset")
}

func (o operation) parameter(name string) (node, bool) {
	i := slices.IndexFunc(o.parameters, func(p node) bool { return p.at("name").text() == name })
	if i < 0 {
		return node{}, false
	}
	return o.parameters[i], true
}

// target is the path with the examples of what varies in it.
func (o operation) target() string {
	target := o.path
	for _, p := range o.parameters {
		if p.at("in").text() == "path" {
			target = strings.Replace(target, "{"+p.at("name").text()+"}", exampleOf(p), 1)
		}
	}
	return target
}

// exampleOf is the example of a parameter, as text.
func exampleOf(parameter node) string {
	example := parameter.at("example")
	if list := parameter.at("schema", "examples").list(); example.value == nil && len(list) > 0 {
		example = list[0]
	}
	if example.value == nil {
		parameter.d.t.Errorf("%s has no example", parameter.pointer)
	}
	return fmt.Sprint(example.value)
}

func (d *description) operations() (all []operation) {
	for _, path := range d.at("paths").names() {
		item := d.at("paths", path)
		for _, method := range methodNames {
			if o := item.at(strings.ToLower(method)); o.value != nil {
				all = append(all, operation{method, path, o, append(item.at("parameters").list(), o.at("parameters").list()...)})
			}
		}
	}
	return all
}

// methods are those that a path is described with, as Allow lists them.
func (d *description) methods(path string) string {
	var names []string
	for _, o := range d.operations() {
		if o.path == path {
			names = append(names, o.method)
		}
	}
	return strings.Join(names, ", ")
}

// told are the fields of a response that have to be described, beside those that
// every response has.
var told = []string{
	"Accept-Patch", "Allow", "Cache-Control", "Content-Encoding", "Content-Security-Policy", "ETag", "Fondue-Evicted", "Fondue-TTL",
	"Retry-After", "Vary", "X-Content-Type-Options",
}

// check holds an answer against the described one: its fields, its media type and
// its body.
func (n node) check(what string, response *http.Response, body string) {
	t := n.d.t
	t.Helper()
	for _, name := range told {
		field, text := n.at("headers", name), response.Header.Get(name)
		switch {
		case field.value == nil && text != "":
			t.Errorf("%s: %d with %s: %s, which is not described", what, response.StatusCode, name, text)
		case field.value != nil && text == "" && field.at("required").value == true:
			t.Errorf("%s: %d without %s", what, response.StatusCode, name)
		case field.value != nil && text != "":
			if err := field.at("schema").validate(valueOf(text)); err != nil {
				t.Errorf("%s: %s: %s: %v", what, name, text, err)
			}
		}
	}
	kind := response.Header.Get("Content-Type")
	switch content := n.at("content", kind); {
	case n.at("content").value == nil && (kind != "" || body != ""):
		t.Errorf("%s: %d with a body that is not described: %s %.100q", what, response.StatusCode, kind, body)
	case n.at("content").value == nil:
	case content.value == nil:
		t.Errorf("%s: %d with %q, which is not described", what, response.StatusCode, kind)
	case strings.HasSuffix(kind, "json") && response.Request.Method != "HEAD":
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(unpacked(t, response, body)))
		if err == nil {
			err = content.at("schema").validate(value)
		}
		if err != nil {
			t.Errorf("%s: %d with %.300s: %v", what, response.StatusCode, body, err)
		}
	}
}

// valueOf is the JSON value of a header field: a number, or its text.
func valueOf(text string) any {
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return json.Number(text)
	}
	return text
}

// TestDescriptionIsOpenAPI: the document is what the OpenAPI Initiative's own
// schema takes, and each of its schemas is one of JSON Schema 2020-12.
func TestDescriptionIsOpenAPI(t *testing.T) {
	t.Parallel()
	d := readDescription(t)
	official, err := jsonschema.UnmarshalJSON(strings.NewReader(datamodel.OpenAPI31SchemaData))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("official", official); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("official")
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(d.root); err != nil {
		t.Error(err)
	}
	for _, name := range d.at("components", "schemas").names() {
		if err := d.at("components", "schemas", name).validate(nil); err != nil && !strings.Contains(err.Error(), "jsonschema validation failed") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDescriptionIsWhole: every reference leads somewhere, nothing is left over,
// names are there once, and every example is of its own schema.
func TestDescriptionIsWhole(t *testing.T) {
	t.Parallel()
	d := readDescription(t)
	used := map[string]bool{}
	var walk func(n node)
	walk = func(n node) {
		switch value := n.value.(type) {
		case map[string]any:
			if reference, found := value["$ref"].(string); found {
				used[reference] = true
				n.resolve()
			}
			n.checkExamples()
			for name, member := range value {
				walk(node{d, n.pointer + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name), member})
			}
		case []any:
			for i, item := range value {
				walk(node{d, n.pointer + "/" + strconv.Itoa(i), item})
			}
		}
	}
	walk(d.at())
	used["#/components/responses/MethodNotAllowed"] = true // of what has no operation
	for _, kind := range d.at("components").names() {
		for _, name := range d.at("components", kind).names() {
			if reference := "#/components/" + kind + "/" + name; !used[reference] {
				t.Errorf("%s is used by nothing", reference)
			}
		}
	}
	ids := map[string]bool{}
	for _, o := range d.operations() {
		id := o.node.at("operationId").text()
		if id == "" || ids[id] || o.node.at("summary").text() == "" {
			t.Errorf("%s: operationId %q", o, id)
		}
		ids[id] = true
		for _, status := range o.node.at("responses").names() {
			for _, media := range o.node.at("responses", status, "content").names() {
				content := o.node.at("responses", status, "content", media)
				if content.at("example").value == nil && len(content.at("examples").names()) == 0 && media != "image/png" {
					t.Errorf("%s: %s has no example", o, status)
				}
			}
		}
	}
}

// checkExamples holds the examples of whatever has a schema against it, and those
// of a schema against the schema.
func (n node) checkExamples() {
	against := func(schema node, example any) {
		if err := schema.validate(example); err != nil {
			n.d.t.Errorf("example of %s: %v", n.pointer, err)
		}
	}
	members := n.value.(map[string]any)
	if _, found := members["schema"]; found {
		if example, found := members["example"]; found {
			against(n.at("schema"), example)
		}
		for _, name := range n.at("examples").names() {
			against(n.at("schema"), n.at("examples", name, "value").value)
		}
		return
	}
	if list, isSchema := members["examples"].([]any); isSchema {
		for _, example := range list {
			against(n, example)
		}
	}
}
