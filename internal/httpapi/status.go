package httpapi

import "encoding/json"

// status answers /v1/status: what `fondue status --json` prints, seen once.
func (a *API) status(r *request) error {
	if err := r.parseQuery(0); err != nil {
		return err
	}
	document, err := a.commands.Status()
	if err != nil {
		return err
	}
	b, err := json.Marshal(document)
	if err != nil {
		return err
	}
	return r.reply(append(r.body, b...))
}
