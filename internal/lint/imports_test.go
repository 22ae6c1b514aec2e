package lint

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
)

// allowed is the house: what each package may import besides the standard
// library. Own packages are written without the module's name. Imports point
// down; master and worker never meet. A package that is not listed is an error:
// somebody has to say where it stands.
var allowed = map[string][]string{
	"cmd/server": {
		"internal/master", "internal/worker", "internal/handoff", "internal/dump", "internal/listen", "internal/command", "internal/screen", "internal/status", "internal/shm", "internal/logging",
		"github.com/spf13/pflag", "github.com/BurntSushi/toml",
	},
	"internal/master":    {"internal/handoff", "internal/listen", "internal/shm", "internal/logging", "golang.org/x/sys", "github.com/coreos/go-systemd"},
	"internal/worker":    {"internal/handoff", "internal/httpapi", "internal/listen", "internal/loop", "internal/plainhttp", "internal/socket", "internal/command", "internal/metrics", "internal/shm", "internal/logging", "github.com/valyala/fasthttp", "golang.org/x/sys"},
	"internal/httpapi":   {"internal/apidoc", "internal/asset", "internal/command", "internal/dashboard", "internal/metrics", "internal/plainhttp", "internal/shm", "github.com/valyala/fasthttp"},
	"internal/apidoc":    {"internal/asset", "github.com/swaggest/swgui/v5/static"},
	"internal/asset":     {},
	"internal/dashboard": {"internal/asset"},
	"internal/command":   {"internal/metrics", "internal/status", "internal/shm", "github.com/go-json-experiment/json"},
	"internal/screen":    {"internal/status", "github.com/gdamore/tcell", "golang.org/x/sys"},
	"internal/status":    {"internal/metrics", "internal/shm"},
	"internal/metrics":   {"internal/shm"},
	"internal/dump":      {"internal/command", "internal/shm"},
	"internal/handoff":   {"internal/listen", "internal/shm"},
	"internal/listen":    {"golang.org/x/sys"},
	"internal/logging":   {},
	"internal/socket":    {"golang.org/x/sys"},
	"internal/plainhttp": {},
	"internal/loop":      {"internal/socket", "golang.org/x/sys"},
	"internal/shm":       {"golang.org/x/sys"},
	"internal/e2e":       {},
	"internal/lint":      {},
	"bench":              {"github.com/valyala/fasthttp", "golang.org/x/sys", "github.com/HdrHistogram/hdrhistogram-go", "github.com/redis/go-redis", "gonum.org/v1/plot"},
}

// allowedInTests is added to what a package's tests may import.
var allowedInTests = []string{
	"internal/e2e", "internal/shm",
	"github.com/prometheus/client_golang", "github.com/prometheus/client_model", "github.com/prometheus/common",
	"pgregory.net/rapid", "github.com/anishathalye/porcupine", "golang.org/x/sys", "github.com/valyala/fasthttp",
	"github.com/santhosh-tekuri/jsonschema/v6", "github.com/pb33f/libopenapi/datamodel",
	"github.com/chromedp/chromedp", "github.com/chromedp/cdproto",
}

// adapters understand a protocol. They know the store's errors and limits by
// name, and reach the store itself through internal/command alone.
var adapters = []string{"internal/httpapi"}

func adapterRule(s source) []string {
	if !slices.Contains(adapters, s.dir()) || s.isTest() {
		return nil
	}
	imports := s.imports()
	var found []string
	ast.Inspect(s.file, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		left, ok := selector.X.(*ast.Ident)
		name := selector.Sel.Name
		if ok && imports[left.Name] == module+"/internal/shm" && !strings.HasPrefix(name, "Err") && !strings.HasPrefix(name, "Max") {
			found = append(found, fmt.Sprintf("%s: an adapter reaches shm.%s through internal/command", s.line(n.Pos()), name))
		}
		return true
	})
	return found
}

func importRule(s source) []string {
	home := s.dir()
	if strings.HasPrefix(home, "bench/") {
		home = "bench"
	}
	list, known := allowed[home]
	if !known {
		return []string{fmt.Sprintf("%s: package %s is not in the import table of internal/lint", s.path, home)}
	}
	list = slices.Clone(list)
	if s.isTest() && home != "bench" {
		list = append(list, allowedInTests...)
	}
	var found []string
	for _, target := range s.imports() {
		own, inside := strings.CutPrefix(target, module+"/")
		first, _, _ := strings.Cut(target, "/")
		if !inside && !strings.Contains(first, ".") {
			continue // the standard library
		}
		if own == home || home == "bench" && strings.HasPrefix(own, "bench/") || slices.ContainsFunc(list, func(a string) bool {
			return own == a || !inside && (target == a || strings.HasPrefix(target, a+"/"))
		}) {
			continue
		}
		found = append(found, fmt.Sprintf("%s: %s may not import %s", s.path, home, own))
	}
	return found
}
