package target

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/fondue-server/fondue/bench/result"
)

// Constant is the ceiling: fondue's processes and settings with a constant body
// behind them (bench/constant).
type Constant struct {
	Binary  string
	Workers int
}

// Describe tells what it is.
func (c Constant) Describe() result.Target {
	return result.Target{
		Name: fmt.Sprintf("constant/workers=%d", c.Workers), Title: fmt.Sprintf("fasthttp, a constant body, %d workers", c.Workers),
		Workers: c.Workers,
	}
}

// Missing looks for the binary.
func (c Constant) Missing() string {
	if missing("", c.Binary) != "" {
		return c.Binary + " is not there; make bench builds it"
	}
	return ""
}

// Versions is that of the server that is built in.
func (c Constant) Versions() map[string]string {
	return map[string]string{"fasthttp": versionOfModule(c.Binary, "github.com/valyala/fasthttp")}
}

// Start runs it.
func (c Constant) Start(ctx context.Context, dir string) (Running, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	binary, err := filepath.Abs(c.Binary)
	if err != nil {
		return nil, err
	}
	r := &running{address: address, routes: counting(), uncounted: true}
	r.server, err = launch(dir, nil, binary, "-listen", address, "-workers", strconv.Itoa(c.Workers))
	return r.begin(ctx, err, "/report")
}
