package httpapi

import "github.com/fondue-server/fondue/internal/command"

// increment answers /increment?key=&by=.
func (a *API) increment(r *request) error {
	if err := r.keyOrDefault(paramKey | paramBy); err != nil {
		return err
	}
	if err := r.refuseConditions(); err != nil {
		return err
	}
	n, effect, err := a.commands.Increment(r.key, r.by, 0, 0)
	r.tellEvicted(effect.Evicted)
	if err != nil {
		return err
	}
	return r.replyKeyAnd(`,"count":`, n)
}

// replyKeyAnd replies {"key":KEY<member>N}.
func (r *request) replyKeyAnd(member string, n int64) error {
	b := append(r.body(), `{"key":`...)
	b = command.AppendString(b, r.key)
	b = append(b, member...)
	b = appendInt(b, n)
	return r.reply(append(b, '}'))
}

// report answers /report?key=.
func (a *API) report(r *request) error {
	if err := r.keyOrDefault(paramKey); err != nil {
		return err
	}
	report, err := a.commands.Report(r.key)
	if err != nil {
		return err
	}
	b := append(r.body(), `{"count":`...)
	if report.Present {
		b = appendInt(b, report.Count)
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"current_process_id":`...)
	b = appendInt(b, int64(report.PID))
	return r.reply(append(b, '}'))
}

// reset answers /reset?key=.
func (a *API) reset(r *request) error {
	if err := r.keyOrDefault(paramKey); err != nil {
		return err
	}
	if err := r.refuseConditions(); err != nil {
		return err
	}
	previous, err := a.commands.Reset(r.key)
	if err != nil {
		return err
	}
	return r.replyKeyAnd(`,"count":0,"previous":`, previous)
}

// count answers /count?key=.
func (a *API) count(r *request) error {
	if err := r.keyOrDefault(paramKey); err != nil {
		return err
	}
	n, err := a.commands.Count(r.key)
	if err != nil {
		return err
	}
	return r.reply(appendInt(r.body(), n))
}

// keyIncrement answers /v1/keys/{key}/increment?by=&init=&ttl=.
func (a *API) keyIncrement(r *request) error {
	if err := r.readKey(paramBy | paramInit | paramTTL); err != nil {
		return err
	}
	if err := r.refuseConditions(); err != nil {
		return err
	}
	n, effect, err := a.commands.Increment(r.key, r.by, r.init, r.ttl)
	r.tellEvicted(effect.Evicted)
	if err != nil {
		return err
	}
	return r.replyKeyAnd(`,"value":`, n)
}
