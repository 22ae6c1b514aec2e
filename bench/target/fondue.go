package target

import (
	"context"
	"fmt"
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
	Accept  string // "reuseport" or "shared"
	Region  int64  // bytes; 0: the default
}

// Describe tells what it is.
func (f Fondue) Describe() result.Target {
	name, title := fmt.Sprintf("fondue/workers=%d", f.Workers), fmt.Sprintf("Fondue, %d workers", f.Workers)
	if f.Accept == "shared" {
		name, title = "fondue-shared/workers="+strconv.Itoa(f.Workers), title+", --accept shared"
	}
	return result.Target{Name: name, Title: title, Workers: f.Workers, Exact: true}
}

// Missing looks for the binary.
func (f Fondue) Missing() string {
	if missing("", f.Binary) != "" {
		return f.Binary + " is not there; make build"
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
		"--region", filepath.Join(dir, "region"), "--workers", strconv.Itoa(f.Workers), "--accept", f.Accept,
	}
	if f.Region > 0 {
		argv = append(argv, "--region-size", strconv.FormatInt(f.Region, 10))
	}
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
