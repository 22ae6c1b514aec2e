package httpapi

import (
	"bytes"
	"errors"

	"github.com/valyala/fasthttp"

	"github.com/fondue-server/fondue/internal/command"
	"github.com/fondue-server/fondue/internal/shm"
)

// key answers /v1/keys/{key}.
func (a *API) key(r *request) error {
	switch r.method {
	case put:
		return a.putKey(r)
	case patch:
		return a.patchKey(r)
	case del:
		return a.deleteKey(r)
	}
	return r.getKeyIf()
}

// readPathKey decodes the key in the path.
func (c *call) readPathKey() (err error) {
	if c.key, err = c.decodeKey(c.key, plusIsPlus); err != nil {
		return err
	}
	if len(c.key) == 0 || len(c.key) > shm.MaxKey {
		return shm.ErrKeyLength
	}
	return nil
}

// readKey decodes the key in the path, and reads the query.
func (c *call) readKey(accepts param) error {
	if err := c.readPathKey(); err != nil {
		return err
	}
	return c.parseQuery(accepts)
}

// getKey answers GET of a key, on no condition.
func (c *call) getKey() error {
	if err := c.readKey(0); err != nil {
		return err
	}
	return c.readValue()
}

// getKeyIf answers GET, on the conditions in the header.
func (r *request) getKeyIf() error {
	if err := r.readKey(0); err != nil {
		return err
	}
	if err := r.readConditions(); err != nil {
		return err
	}
	return r.readValue()
}

func (c *call) readValue() error {
	item, err := c.commands.Get(c.body, c.key, c.cond)
	switch {
	case err == nil:
		c.describe(&item)
		return c.reply(readText(c.body, &item.Value))
	case errors.Is(err, command.ErrUnchanged):
		c.describe(&item)
		c.status = fasthttp.StatusNotModified
		return nil
	case errors.Is(err, shm.ErrCondition):
		return unmet(c.cond)
	}
	return err
}

func (a *API) deleteKey(r *request) error {
	if err := r.readChange(0); err != nil {
		return err
	}
	if err := a.commands.Remove(r.key, r.cond); err != nil {
		return orUnmet(err, r.cond)
	}
	r.status = fasthttp.StatusNoContent
	return nil
}

// readChange reads what comes before the body of a change of one key.
func (r *request) readChange(accepts param) error {
	if err := r.readKey(accepts); err != nil {
		return err
	}
	return r.readConditionsOfChange()
}

func (r *request) readPut() error {
	if err := r.readChange(paramTTL); err != nil {
		return err
	}
	return r.checkMedia(isJSON)
}

func (a *API) putKey(r *request) error {
	if err := r.readPut(); err != nil {
		return err
	}
	value, err := command.ParseValue(r.ctx.Request.Body())
	if err != nil {
		return err
	}
	effect, err := a.commands.Put(r.key, value, r.ttl, r.cond)
	r.evicted = effect.Evicted
	if err != nil {
		return orUnmet(err, r.cond)
	}
	r.describe(&command.Item{Version: effect.Version, TTL: r.ttl})
	if effect.Created {
		r.status = fasthttp.StatusCreated
	}
	return r.reply(appendValue(r.body, &value))
}

func (r *request) readPatch() error {
	if err := r.readChange(paramTTL | paramTTLNone); err != nil {
		return err
	}
	err := r.checkMedia(isMergePatch)
	if err != nil {
		r.ctx.Response.Header.SetCanonical(acceptPatch, typeMergePatch)
	}
	return err
}

// patchKey answers PATCH. Without a body it changes the time to live alone.
func (a *API) patchKey(r *request) error {
	if err := r.readPatch(); err != nil {
		return err
	}
	change := command.Patch{TTL: r.ttl, SetTTL: r.given&paramTTL != 0, If: r.cond}
	if text := r.ctx.Request.Body(); len(bytes.Trim(text, " \t\r\n")) > 0 {
		change.Merge = text
	}
	b := r.body
	item, effect, err := a.commands.Patch(b, r.key, change)
	r.evicted = effect.Evicted
	if err != nil {
		return orUnmet(err, r.cond)
	}
	r.describe(&item)
	return r.reply(readText(b, &item.Value))
}

// orUnmet says which condition it was when err is about one.
func orUnmet(err error, cond command.Condition) error {
	if errors.Is(err, shm.ErrCondition) {
		return unmet(cond)
	}
	return err
}

func appendValue(dst []byte, v *command.Value) []byte {
	if v.Integer {
		return appendInt(dst, v.Int)
	}
	return append(dst, v.Bytes...)
}

// readText returns dst with a value that was read into it: a command has
// appended what is bytes.
func readText(dst []byte, v *command.Value) []byte {
	if v.Integer {
		return appendInt(dst, v.Int)
	}
	return v.Bytes
}

var acceptPatch = []byte("Accept-Patch")
