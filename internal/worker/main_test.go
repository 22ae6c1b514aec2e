package worker

import (
	"flag"
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
		moreAtOnce()
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

// moreAtOnce has more tests run at once than there are processors, unless somebody has
// said how many: most of them wait most of the time.
func moreAtOnce() {
	flag.Parse()
	said := false
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == "test.parallel" || f.Name == "test.fuzz" })
	if !said {
		_ = flag.Set("test.parallel", "6")
	}
}
