package run

import (
	"maps"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/fondue-server/fondue/bench/result"
	"github.com/fondue-server/fondue/bench/target"
)

const unknown = "unknown"

func machine() result.Machine {
	m := result.Machine{
		CPU:    field("/proc/cpuinfo", "model name", ":"),
		CPUs:   runtime.NumCPU(),
		Kernel: unknown,
		OS:     strings.Trim(field("/etc/os-release", "PRETTY_NAME", "="), `"`),
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(text))
	}
	kib, err := strconv.ParseInt(strings.TrimSuffix(field("/proc/meminfo", "MemTotal", ":"), " kB"), 10, 64)
	if err == nil {
		m.Memory = kib << 10
	}
	return m
}

// field is the first value of a name in a file of lines.
func field(path, name, separator string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return unknown
	}
	for line := range strings.Lines(string(text)) {
		if key, value, found := strings.Cut(line, separator); found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return unknown
}

// versions are those of all programs that take part.
func versions(targets []target.Target) map[string]string {
	all := map[string]string{"go": runtime.Version()}
	for _, t := range targets {
		if t.Missing() == "" {
			maps.Copy(all, t.Versions())
		}
	}
	return all
}
