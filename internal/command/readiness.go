package command

// Ready reports whether this process wants new work: from the start until
// Drain.
func (c *Commands) Ready() bool { return !c.draining.Load() }

// Drain ends readiness, for good. Commands go on being answered.
func (c *Commands) Drain() { c.draining.Store(true) }
