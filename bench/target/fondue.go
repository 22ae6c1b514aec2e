package target

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/fondue-server/fondue/bench/result"
)

// Fondue is the project's own server.
type Fondue struct {
	Binary  string
	Workers int
	Variant Variant
	Region  int64 // bytes; 0: the default
}

// Describe tells what it is.
func (f Fondue) Describe() result.Target {
	title := fmt.Sprintf("Fondue, %d workers", f.Workers)
	if f.Variant.Flags != "" {
		title += ", " + f.Variant.Flags
	}
	return result.Target{Name: fmt.Sprintf("%s/workers=%d", f.Variant.Target(), f.Workers), Title: title, Workers: f.Workers, Exact: true}
}

// Missing looks for the binary, and asks it whether it takes the variant's flags: an
// older one may not know them.
func (f Fondue) Missing() string {
	if missing("", f.Binary) != "" {
		return f.Binary + " is not there; make build"
	}
	argv := append([]string{"serve", "--check-config"}, strings.Fields(f.Variant.Flags)...)
	check := exec.Command(f.Binary, argv...)
	check.Env = cleanEnviron()
	if said, err := check.CombinedOutput(); err != nil {
		return fmt.Sprintf("%s does not take %s: %s", f.Binary, f.Variant.Flags, strings.TrimSpace(string(said)))
	}
	return ""
}

// Versions asks the binary.
func (f Fondue) Versions() map[string]string {
	return map[string]string{"fondue": strings.TrimPrefix(saidBy(f.Binary, "version"), "fondue ")}
}

// Start runs it over a region in dir.
func (f Fondue) Start(ctx context.Context, dir string) (Running, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	binary, err := filepath.Abs(f.Binary)
	if err != nil {
		return nil, err
	}
	r := &running{address: address, unix: filepath.Join(dir, "s"), routes: keyed(counting())}
	argv := []string{
		binary, "serve", "--listen", address, "--listen", "unix:" + r.unix,
		"--region", filepath.Join(dir, "region"), "--workers", strconv.Itoa(f.Workers),
	}
	if f.Region > 0 {
		argv = append(argv, "--region-size", strconv.FormatInt(f.Region, 10))
	}
	argv = append(argv, strings.Fields(f.Variant.Flags)...)
	r.server, err = launch(dir, nil, argv...)
	return r.begin(ctx, err, "/healthz")
}

// begin waits for the first answer of a server that was launched, or ends all that
// was started.
func (r *running) begin(ctx context.Context, launched error, path string) (Running, error) {
	err := launched
	if err == nil {
		if err = r.server.await(ctx, func() error { return r.probe(path) }); err == nil {
			r.took = time.Since(r.server.started)
			return r, nil
		}
	}
	if stopped := r.Stop(); stopped != nil {
		err = fmt.Errorf("%w; %w", err, stopped)
	}
	return nil, err
}
