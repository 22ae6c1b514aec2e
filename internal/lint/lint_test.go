package lint

import (
	"strings"
	"testing"
)

var rules = map[string]func(source) []string{
	"unsafe":  unsafeRule,
	"imports": importRule,
	"adapter": adapterRule,
	"process": processRule,
	"init":    initRule,
	"length":  lengthRule,
	"names":   nameRule,
	"gofmt":   gofmtRule,
}

func TestTree(t *testing.T) {
	t.Parallel()
	sources := tree(t)
	if len(sources) < 10 {
		t.Fatalf("only %d Go files found: the rules look at the wrong place", len(sources))
	}
	for name, rule := range rules {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, s := range sources {
				for _, finding := range rule(s) {
					t.Error(finding)
				}
			}
		})
	}
}

// TestRules proves that each rule can fail, and that it lets pass what it must.
func TestRules(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("// line\n", maxLines+1)
	cases := []struct {
		name, rule, path, text string
		bad                    bool
	}{
		{"unsafe in another package", "unsafe", "internal/worker/a.go", "package worker\n\nimport \"unsafe\"\n", true},
		{"unsafe in another file of shm", "unsafe", "internal/shm/a.go", "package shm\n\nimport \"unsafe\"\n", true},
		{"unsafe under another name", "unsafe", "internal/shm/a.go", "package shm\n\nimport u \"unsafe\"\n", true},
		{"a file of that name elsewhere", "unsafe", "internal/worker/a_unsafe.go", "package worker\n\nimport \"unsafe\"\n", true},
		{"linkname", "unsafe", "internal/worker/a.go", "package worker\n\n//go:linkname f runtime.f\nfunc f()\n", true},
		{"unsafe at home", "unsafe", "internal/shm/a_unsafe.go", "package shm\n\nimport \"unsafe\"\n", false},
		{"unsafe in the other home", "unsafe", "internal/socket/a_unsafe.go", "package socket\n\nimport \"unsafe\"\n", false},
		{"unsafe in another file of it", "unsafe", "internal/socket/a.go", "package socket\n\nimport \"unsafe\"\n", true},
		{"unsafe in a test at home", "unsafe", "internal/shm/a_unsafe_test.go", "package shm\n\nimport \"unsafe\"\n", false},

		{"master imports worker", "imports", "internal/master/a.go", "package master\n\nimport \"" + module + "/internal/worker\"\n", true},
		{"worker imports master", "imports", "internal/worker/a.go", "package worker\n\nimport \"" + module + "/internal/master\"\n", true},
		{"a worker's test imports master", "imports", "internal/worker/a_test.go", "package worker\n\nimport \"" + module + "/internal/master\"\n", true},
		{"command knows a protocol", "imports", "internal/command/a.go", "package command\n\nimport \"github.com/valyala/fasthttp\"\n", true},
		{"shm imports upwards", "imports", "internal/shm/a.go", "package shm\n\nimport \"" + module + "/internal/handoff\"\n", true},
		{"bench imports something internal", "imports", "bench/a.go", "package main\n\nimport \"" + module + "/internal/shm\"\n", true},
		{"a part of bench does", "imports", "bench/constant/a_test.go", "package main\n\nimport \"" + module + "/internal/shm\"\n", true},
		{"a part of bench imports another", "imports", "bench/report/a.go", "package report\n\nimport \"" + module + "/bench/result\"\n", false},
		{"a new dependency", "imports", "internal/shm/a.go", "package shm\n\nimport \"example.com/x\"\n", true},
		{"a path that only begins alike", "imports", "internal/shm/a.go", "package shm\n\nimport \"golang.org/x/system\"\n", true},
		{"a model checker in the product", "imports", "internal/shm/a.go", "package shm\n\nimport \"pgregory.net/rapid\"\n", true},
		{"a package that nobody placed", "imports", "internal/extra/a.go", "package extra\n", true},
		{"one step down", "imports", "internal/command/a.go", "package command\n\nimport \"" + module + "/internal/shm\"\n", false},
		{"a model checker in a test", "imports", "internal/shm/a_test.go", "package shm\n\nimport \"pgregory.net/rapid\"\n", false},
		{"an external test of itself", "imports", "internal/shm/a_test.go", "package shm_test\n\nimport \"" + module + "/internal/shm\"\n", false},
		{"the standard library", "imports", "internal/shm/a.go", "package shm\n\nimport \"encoding/binary\"\n", false},

		{"an adapter reaches past the commands", "adapter", "internal/httpapi/a.go", "package httpapi\n\nimport \"" + module + "/internal/shm\"\n\nvar s shm.Store\n", true},
		{"an adapter names an error", "adapter", "internal/httpapi/a.go", "package httpapi\n\nimport \"" + module + "/internal/shm\"\n\nvar e = shm.ErrFull\n", false},
		{"its test opens a region", "adapter", "internal/httpapi/a_test.go", "package httpapi\n\nimport \"" + module + "/internal/shm\"\n\nvar s shm.Store\n", false},

		{"flags deep inside", "process", "internal/worker/a.go", "package worker\n\nimport \"flag\"\n", true},
		{"pflag deep inside", "process", "internal/worker/a.go", "package worker\n\nimport \"github.com/spf13/pflag\"\n", true},
		{"os.Exit deep inside", "process", "internal/worker/a.go", "package worker\n\nimport \"os\"\n\nfunc f() { os.Exit(1) }\n", true},
		{"os.Getenv handed on", "process", "internal/worker/a.go", "package worker\n\nimport \"os\"\n\nvar f = os.Getenv\n", true},
		{"os under another name", "process", "internal/worker/a.go", "package worker\n\nimport sys \"os\"\n\nvar f = sys.LookupEnv\n", true},
		{"os.Exit in the command", "process", "cmd/server/a.go", "package main\n\nimport \"os\"\n\nfunc f() { os.Exit(1) }\n", false},
		{"os.Getpid", "process", "internal/worker/a.go", "package worker\n\nimport \"os\"\n\nvar f = os.Getpid()\n", false},
		{"somebody else's Exit", "process", "internal/worker/a.go", "package worker\n\nimport os \"example.com/os\"\n\nfunc f() { os.Exit(1) }\n", false},

		{"an init function", "init", "internal/shm/a.go", "package shm\n\nfunc init() {}\n", true},
		{"a method called init", "init", "internal/shm/a.go", "package shm\n\nfunc (t T) init() {}\n", false},

		{"a long file", "length", "internal/shm/a.go", long + "package shm\n", true},
		{"a long file with no reason", "length", "internal/shm/a.go", "//fondue:long \n" + long + "package shm\n", true},
		{"a long file that says why", "length", "internal/shm/a.go", "//fondue:long one table\n" + long + "package shm\n", false},
		{"a file of the last length", "length", "internal/shm/a.go", strings.Repeat("// line\n", maxLines-1) + "package shm\n", false},

		{"package util", "names", "internal/util/a.go", "package util\n", true},
		{"package helpers", "names", "internal/shm/a_test.go", "package helpers_test\n", true},
		{"package shm", "names", "internal/shm/a.go", "package shm\n", false},

		{"wrong format", "gofmt", "internal/shm/a.go", "package shm\nvar  x int\n", true},
		{"right format", "gofmt", "internal/shm/a.go", "package shm\n\nvar x int\n", false},
	}
	for _, c := range cases {
		t.Run(c.rule+"/"+c.name, func(t *testing.T) {
			t.Parallel()
			s, err := parse(c.path, []byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			findings := rules[c.rule](s)
			if bad := len(findings) > 0; bad != c.bad {
				t.Errorf("findings %q, want any: %v", findings, c.bad)
			}
		})
	}
}
