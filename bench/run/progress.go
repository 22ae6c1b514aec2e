package run

import (
	"fmt"
	"io"
	"time"

	"github.com/fondue-server/fondue/bench/result"
)

// progress tells on a terminal, a line for each event, how far a run is.
type progress struct {
	to          io.Writer
	total, done int // rounds
	began       time.Time
}

func (p *progress) printf(format string, args ...any) {
	if p.to != nil {
		fmt.Fprintf(p.to, "# "+format+"\n", args...)
	}
}

// drop leaves out rounds that will not be.
func (p *progress) drop(rounds int) { p.total -= rounds }

func (p *progress) round(c result.Cell, n int, trouble string) {
	if p.began.IsZero() {
		p.began = time.Now().Add(-c.Load.Warmup - c.Load.Round)
	}
	p.done++
	left := time.Duration(float64(time.Since(p.began)) / float64(p.done) * float64(p.total-p.done))
	r := c.Rounds[len(c.Rounds)-1]
	text := fmt.Sprintf("[%d/%d, %v left] %s %s round %d: %.0f req/s, CPU/request %.2f us, p50 %v, p99 %v",
		p.done, p.total, left.Round(time.Second), c.Load.Name(), c.Target, n+1, r.Rate(), r.CPU()/1e3,
		time.Duration(r.Latency.P50).Round(time.Microsecond), time.Duration(r.Latency.P99).Round(time.Microsecond))
	if trouble != "" {
		text += fmt.Sprintf(", %d errors, the first: %s", r.Errors, trouble)
	}
	p.printf("%s", text)
}
