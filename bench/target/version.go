package target

import (
	"debug/buildinfo"
	"encoding/json"
	"os/exec"
	"regexp"
	"strings"
)

// number is a version as most programs show it, among other words.
var number = regexp.MustCompile(`\d+(\.\d+)+`)

// versionOf is the number in what a program says of itself; all of it without one.
func versionOf(argv ...string) string {
	text := saidBy(argv...)
	if found := number.FindString(text); found != "" {
		return found
	}
	return text
}

// saidBy is the first line that a program prints; "" for one that fails.
func saidBy(argv ...string) string {
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}

// pythonVersions prints those of the interpreter and of packages, with "none" for
// one that it lacks: that also makes a server another one.
const pythonVersions = `
import importlib.metadata, json, platform, sqlite3, sys
found = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
for name in sys.argv[1:]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        found[name] = "none"
print(json.dumps(found))
`

// versionsOfPython are those of the interpreter, its SQLite, and packages.
func versionsOfPython(packages ...string) map[string]string {
	out, err := exec.Command(python, append([]string{"-c", pythonVersions}, packages...)...).Output()
	var found map[string]string
	if err != nil || json.Unmarshal(out, &found) != nil {
		return map[string]string{} // Missing says why
	}
	return found
}

// versionOfModule is that of a module in a Go binary; "" where it is not in it.
func versionOfModule(binary, path string) string {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path == path {
			return m.Version
		}
	}
	return ""
}
