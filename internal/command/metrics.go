package command

import "github.com/fondue-server/fondue/internal/metrics"

// CountFull counts a change that was refused for want of room.
func (c *Commands) CountFull() { c.store.CountFull() }

// Metrics is what is measured of all workers together, whichever of them is asked.
func (c *Commands) Metrics() metrics.Snapshot { return metrics.Take(c.region) }
