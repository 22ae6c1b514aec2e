package httpapi

import "github.com/fondue-server/fondue/internal/command"

// increment answers /increment?key=&by=.
func (c *call) increment() error {
	if err := c.keyOrDefault(paramKey | paramBy); err != nil {
		return err
	}
	if err := c.refuseConditions(); err != nil {
		return err
	}
	n, effect, err := c.commands.Increment(c.key, c.by, 0, 0)
	c.evicted = effect.Evicted
	if err != nil {
		return err
	}
	return c.replyKeyAnd(`,"count":`, n)
}

// replyKeyAnd replies {"key":KEY<member>N}.
func (c *call) replyKeyAnd(member string, n int64) error {
	b := append(c.body, `{"key":`...)
	b = command.AppendString(b, c.key)
	b = append(b, member...)
	b = appendInt(b, n)
	return c.reply(append(b, '}'))
}

// report answers /report?key=.
func (c *call) report() error {
	if err := c.keyOrDefault(paramKey); err != nil {
		return err
	}
	report, err := c.commands.Report(c.key)
	if err != nil {
		return err
	}
	b := append(c.body, `{"count":`...)
	if report.Present {
		b = appendInt(b, report.Count)
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"current_process_id":`...)
	b = appendInt(b, int64(report.PID))
	return c.reply(append(b, '}'))
}

// reset answers /reset?key=.
func (c *call) reset() error {
	if err := c.keyOrDefault(paramKey); err != nil {
		return err
	}
	if err := c.refuseConditions(); err != nil {
		return err
	}
	previous, err := c.commands.Reset(c.key)
	if err != nil {
		return err
	}
	return c.replyKeyAnd(`,"count":0,"previous":`, previous)
}

// count answers /count?key=.
func (c *call) count() error {
	if err := c.keyOrDefault(paramKey); err != nil {
		return err
	}
	n, err := c.commands.Count(c.key)
	if err != nil {
		return err
	}
	return c.reply(appendInt(c.body, n))
}

// keyIncrement answers /v1/keys/{key}/increment?by=&init=&ttl=.
func (c *call) keyIncrement() error {
	if err := c.readKey(paramBy | paramInit | paramTTL); err != nil {
		return err
	}
	if err := c.refuseConditions(); err != nil {
		return err
	}
	n, effect, err := c.commands.Increment(c.key, c.by, c.init, c.ttl)
	c.evicted = effect.Evicted
	if err != nil {
		return err
	}
	return c.replyKeyAnd(`,"value":`, n)
}
