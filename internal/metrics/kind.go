// Package metrics is what is measured of the server, and how it is written for
// Prometheus. The figures are in the region (package shm counts them): whichever
// process is asked, or none, the answer is of all of them together, and what a
// dead process has counted stays counted.
package metrics

import "github.com/fondue-server/fondue/internal/shm"

// Kind is what a request was about. Its number is a place in the region's meters: a
// new kind takes a new number at the end, and none is ever given another meaning,
// so that one version of the program goes on with the meters of another.
type Kind uint8

// The kinds of requests.
const (
	Other Kind = iota // no route, or not readable as a request
	Increment
	Report
	Reset
	Count
	Args
	Key
	KeyIncrement
	Keys
	Batch
	Region
	Workers
	Health
	Ready
	Metrics
	OpenAPI
	Docs
	Status
	Dashboard
	kinds
)

// A kind more than there is room for does not compile.
const _ = uint(shm.MaxKinds - kinds)

var routes = [kinds]string{
	Other:        "other",
	Increment:    "/increment",
	Report:       "/report",
	Reset:        "/reset",
	Count:        "/count",
	Args:         "/args",
	Key:          "/v1/keys/{key}",
	KeyIncrement: "/v1/keys/{key}/increment",
	Keys:         "/v1/keys",
	Batch:        "/v1/batch",
	Region:       "/v1/region",
	Workers:      "/v1/workers",
	Health:       "/healthz",
	Ready:        "/readyz",
	Metrics:      "/metrics",
	OpenAPI:      "/openapi.json",
	Docs:         "/docs",
	Status:       "/v1/status",
	Dashboard:    "/",
}

// String is the route, as a label has it.
func (k Kind) String() string {
	if k < kinds {
		return routes[k]
	}
	return "unknown"
}

// OutcomeOf is the outcome that a status code of HTTP stands for.
func OutcomeOf(status int) shm.Outcome {
	switch {
	case status >= 500:
		return shm.Failed
	case status >= 400:
		return shm.Refused
	case status >= 300:
		return shm.Unchanged
	}
	return shm.Done
}

// outcomeNames are the classes of status codes.
var outcomeNames = [...]string{shm.Done: "2xx", shm.Unchanged: "3xx", shm.Refused: "4xx", shm.Failed: "5xx"}
