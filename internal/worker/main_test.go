package worker

import (
	"fmt"
	"os"
	"testing"

	"github.com/fondue-server/fondue/internal/handoff"
)

// childRole is the environment variable that makes this test binary one of
// the child programs of its own tests.
const childRole = "FONDUE_WORKER_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(childRole) {
	case "":
		os.Exit(m.Run())
	case "worker":
		w, _, err := handoff.FromEnv(os.LookupEnv)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(handoff.ExitUsage)
		}
		os.Exit(Run(w))
	}
}
