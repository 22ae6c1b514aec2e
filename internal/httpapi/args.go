package httpapi

// args answers /args.
func (a *API) args(r *request) error {
	if err := r.parseQuery(0); err != nil {
		return err
	}
	if r.method == put {
		if err := r.refuseConditions(); err != nil {
			return err
		}
		object, err := r.jsonBody(isJSON)
		if err != nil {
			return err
		}
		effect, err := a.commands.SetArgs(object)
		r.tellEvicted(effect.Evicted)
		if err != nil {
			return err
		}
	}
	b, err := a.commands.Args(append(r.body(), `{"args":`...))
	if err != nil {
		return err
	}
	return r.reply(append(b, '}'))
}
