package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/fondue-server/fondue/internal/shm"
)

// release is set with -ldflags "-X main.release=v1.2.3".
var release string

const versionHelp = `Usage: fondue version

Prints version, layout version of the region, Go release, platform and commit.
`

func version(p process, args []string) error {
	if len(args) > 0 && args[0] != "--help" && args[0] != "-h" {
		return usagef("unexpected argument %q: version takes none", args[0])
	}
	if len(args) > 0 {
		fmt.Fprint(p.stdout, versionHelp)
		return nil
	}
	fmt.Fprintln(p.stdout, versionLine())
	return nil
}

func versionLine() string {
	commit := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				commit = ", commit " + s.Value[:min(12, len(s.Value))]
			case s.Key == "vcs.modified" && s.Value == "true":
				commit += " with changes"
			}
		}
	}
	return fmt.Sprintf("fondue %s (region layout %d, %s %s/%s%s)", versionName(), shm.LayoutVersion, runtime.Version(), runtime.GOOS, runtime.GOARCH, commit)
}

// versionName is the release, or what the Go tool knows of the source.
func versionName() string {
	if info, ok := debug.ReadBuildInfo(); ok && release == "" && info.Main.Version != "" {
		return info.Main.Version
	}
	return cmp.Or(release, "(devel)")
}
