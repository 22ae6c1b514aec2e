package httpapi

// args answers /args.
func (a *API) args(r *request) error {
	if r.method == put {
		if err := r.readSetArgs(); err != nil {
			return err
		}
		effect, err := a.commands.SetArgs(r.ctx.Request.Body())
		r.evicted = effect.Evicted
		if err != nil {
			return err
		}
	} else if err := r.parseQuery(0); err != nil {
		return err
	}
	b, err := a.commands.Args(append(r.body, `{"args":`...))
	if err != nil {
		return err
	}
	return r.reply(append(b, '}'))
}

func (r *request) readSetArgs() error {
	if err := r.parseQuery(0); err != nil {
		return err
	}
	if err := r.refuseConditions(); err != nil {
		return err
	}
	return r.checkMedia(isJSON)
}
