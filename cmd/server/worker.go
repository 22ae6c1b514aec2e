package main

import (
	"fmt"
	"os"

	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/fondue-server/fondue/internal/worker"
)

// runAsWorker is the hidden entry: a master started this process. It returns
// false when a user did.
func runAsWorker(lookup func(string) (string, bool)) (code int, ok bool) {
	w, ok, err := handoff.FromEnv(lookup)
	if !ok {
		return 0, false
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "fondue: %v; the variable is set by the master alone\n", err)
		return handoff.ExitUsage, true
	}
	return worker.Run(w), true
}
