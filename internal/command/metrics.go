package command

import "github.com/fondue-server/fondue/internal/metrics"

// Metrics is what is measured of all workers together, whichever of them is asked.
func (c *Commands) Metrics() metrics.Snapshot { return metrics.Take(c.region) }
