// Package apidoc is the description of the HTTP interface, for programs and for
// people: openapi.json, and a page on which each request can be tried. All of it
// is in the binary; the page asks nobody but the server that it came from.
//
// openapi.json is written by hand. The tests of package httpapi hold it to what
// the routes do: a route, parameter, status or header field that is in only one
// of the two fails them.
package apidoc

import (
	_ "embed"

	"github.com/swaggest/swgui/v5/static"

	"github.com/fondue-server/fondue/internal/asset"
)

//go:embed openapi.json
var document []byte

//go:embed docs.html
var page []byte

//go:embed docs.js
var script []byte

// Document is the description, OpenAPI 3.1. It is the same bytes in each worker:
// its info.version is that of the interface, not of the program.
var Document = asset.Text("application/json", document)

// Page is the page. It refers to the document as openapi.json and to its files as
// docs/NAME, relative to itself.
var Page = asset.Page(page, policy)

// policy lets the page reach its own origin and no other. Swagger UI needs two
// things beyond files: styles set by its script, and images within its style
// sheet. Nobody may frame the page: its buttons change the store.
const policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// File returns a file of the page by its name, nil when there is none.
func File(name []byte) *asset.File { return files[string(name)] }

// files are what the page refers to: our script, and the part of Swagger UI that
// is needed without a bar on top and without logging in.
var files = map[string]*asset.File{
	"docs.js":              asset.Text("text/javascript; charset=utf-8", script),
	"swagger-ui-bundle.js": asset.Packed("text/javascript; charset=utf-8", embedded("swagger-ui-bundle.js.gz")),
	"swagger-ui.css":       asset.Packed("text/css; charset=utf-8", embedded("swagger-ui.css.gz")),
	"favicon-32x32.png":    asset.Image("image/png", embedded("favicon-32x32.png")),
}

func embedded(name string) func() ([]byte, error) {
	return func() ([]byte, error) { return static.FS.ReadFile(name) }
}
