package metrics

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/fondue-server/fondue/internal/shm"
)

// TestKindsKeepTheirNumbers: the numbers are in regions that a later version goes on
// with. A new kind is a new line at the end of the golden file.
func TestKindsKeepTheirNumbers(t *testing.T) {
	t.Parallel()
	var got strings.Builder
	seen := map[string]bool{}
	for kind := range kinds {
		name := kind.String()
		fmt.Fprintf(&got, "%d %s\n", kind, name)
		if name == "" || seen[name] {
			t.Errorf("kind %d has no name of its own: %q", kind, name)
		}
		seen[name] = true
	}
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile("testdata/kinds.golden", []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/kinds.golden")
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("kinds are\n%swant\n%s", &got, want)
	}
	if kinds.String() != "unknown" {
		t.Errorf("a kind that there is not is %q", kinds)
	}
}

func TestOutcomeOf(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]shm.Outcome{
		200: shm.Done, 201: shm.Done, 204: shm.Done, 304: shm.Unchanged, 400: shm.Refused, 431: shm.Refused,
		499: shm.Refused, 500: shm.Failed, 503: shm.Failed, 507: shm.Failed, 599: shm.Failed,
	} {
		if got := OutcomeOf(status); got != want {
			t.Errorf("%d is outcome %d, want %d", status, got, want)
		}
	}
}
