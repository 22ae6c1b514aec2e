// Package target starts the servers that are measured, looks after them, and ends
// them. Each is one file.
package target

import (
	"context"
	"time"

	"github.com/fondue-server/fondue/bench/result"
)

// Target is a server that can be measured.
type Target interface {
	// Describe tells what it is. Command and Start are filled in by Start.
	Describe() result.Target
	// Missing says in one line what this host lacks, and how to install it; "" for
	// nothing. Nothing is started.
	Missing() string
	// Versions of the programs it is made of.
	Versions() map[string]string
	// Start runs it, with files only in dir, until it has answered a request. What
	// it needs besides (Redis, PostgreSQL) is started and counted with it.
	Start(ctx context.Context, dir string) (Running, error)
}

// Running is a started target.
type Running interface {
	// Address is host:port, Unix the path of a socket, "" without one.
	Address() string
	Unix() string
	// Command is what was executed, for the report.
	Command() []string
	// Took is the time from exec to the first answer.
	Took() time.Duration
	// PIDs are all processes of the server now, with what it needs besides.
	PIDs() ([]int, error)
	// Request of a workload for a key, as a path with its query; "" where the
	// target cannot do it. Value is for "put".
	Request(workload string) (method, path string, ok bool)
	// Count reads back the counter of a key.
	Count(key string) (int64, error)
	// Stop ends it and all that it started; its log is in the error.
	Stop() error
}
