package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// release is set with -ldflags "-X main.release=v1.2.3".
var release string

func version(p process, args []string) error {
	for _, a := range args {
		if a == "--help" || a == "-h" {
			fmt.Fprintln(p.stdout, "Usage: fondue version\n\nPrints version, Go release, platform and commit.")
			return nil
		}
		return usagef("unexpected argument %q: version takes none", a)
	}
	fmt.Fprintln(p.stdout, versionLine())
	return nil
}

func versionLine() string {
	name, commit := release, ""
	if info, ok := debug.ReadBuildInfo(); ok {
		if name == "" {
			name = info.Main.Version
		}
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				commit = ", commit " + s.Value[:min(12, len(s.Value))]
			case s.Key == "vcs.modified" && s.Value == "true":
				commit += " with changes"
			}
		}
	}
	if name == "" {
		name = "(devel)"
	}
	return fmt.Sprintf("fondue %s (%s %s/%s%s)", name, runtime.Version(), runtime.GOOS, runtime.GOARCH, commit)
}
