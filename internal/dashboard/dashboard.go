// Package dashboard is the page at the root: how the server does, live, for whoever
// opens it in a browser. It is plain files in the binary, without a build step: the
// page asks /v1/status, /v1/keys and /v1/batch of the server that it came from, and
// computes rates of two answers, whichever workers gave them.
package dashboard

import (
	_ "embed"

	"github.com/fondue-server/fondue/internal/asset"
)

//go:embed index.html
var index []byte

//go:embed dashboard.css
var style []byte

//go:embed dashboard.js
var script []byte

//go:embed figures.js
var figures []byte

//go:embed icon.svg
var icon []byte

// Page is the page. It refers to its files as ui/NAME, relative to itself.
var Page = asset.Page(index, policy)

// policy lets the page reach its own origin and no other, and no text become
// markup: keys and values are whatever somebody has stored.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// File returns a file of the page by its name, nil when there is none.
func File(name []byte) *asset.File { return files[string(name)] }

var files = map[string]*asset.File{
	"dashboard.css": asset.Text("text/css; charset=utf-8", style),
	"dashboard.js":  asset.Text("text/javascript; charset=utf-8", script),
	"figures.js":    asset.Text("text/javascript; charset=utf-8", figures),
	"icon.svg":      asset.Text("image/svg+xml", icon),
}
