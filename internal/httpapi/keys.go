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
	return a.getKey(r)
}

// readPathKey decodes the key in the path.
func (r *request) readPathKey() (err error) {
	if r.key, err = r.decodeKey(r.key, plusIsPlus); err != nil {
		return err
	}
	if len(r.key) == 0 || len(r.key) > shm.MaxKey {
		return shm.ErrKeyLength
	}
	return nil
}

// readKey decodes the key in the path, and reads the query.
func (r *request) readKey(accepts param) error {
	if err := r.readPathKey(); err != nil {
		return err
	}
	return r.parseQuery(accepts)
}

func (a *API) getKey(r *request) error {
	if err := r.readKey(0); err != nil {
		return err
	}
	if err := r.readConditions(); err != nil {
		return err
	}
	b := r.body()
	item, err := a.commands.Get(b, r.key, r.cond)
	if err == nil {
		r.describe(&item)
		return r.reply(readText(b, &item.Value))
	}
	r.ctx.Response.SwapBody(b) // for the problem
	switch {
	case errors.Is(err, command.ErrUnchanged):
		r.describe(&item)
		r.ctx.Response.SetStatusCode(fasthttp.StatusNotModified)
		return nil
	case errors.Is(err, shm.ErrCondition):
		return unmet(r.cond)
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
	r.ctx.Response.SetStatusCode(fasthttp.StatusNoContent)
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
	r.tellEvicted(effect.Evicted)
	if err != nil {
		return orUnmet(err, r.cond)
	}
	r.describe(&command.Item{Version: effect.Version, TTL: r.ttl})
	if effect.Created {
		r.ctx.Response.SetStatusCode(fasthttp.StatusCreated)
	}
	return r.reply(appendValue(r.body(), &value))
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
	b := r.body()
	item, effect, err := a.commands.Patch(b, r.key, change)
	r.tellEvicted(effect.Evicted)
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

// describe sets the header fields of a key.
func (r *request) describe(item *command.Item) {
	header := &r.ctx.Response.Header
	header.SetCanonical(nameETag, appendTag(r.text[:0], item.Version))
	if item.TTL > 0 {
		header.SetCanonical(nameTTL, command.AppendSeconds(r.text[:0], item.TTL))
	}
}

// tellEvicted says how many keys had to go for a change.
func (r *request) tellEvicted(n int) {
	if n > 0 {
		r.ctx.Response.Header.SetCanonical(nameEvicted, appendInt(r.text[:0], int64(n)))
	}
}

var (
	nameETag    = []byte("ETag")
	nameTTL     = []byte("Fondue-TTL")
	nameEvicted = []byte("Fondue-Evicted")
	acceptPatch = []byte("Accept-Patch")
)
