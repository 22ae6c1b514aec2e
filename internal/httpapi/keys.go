package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"

	"github.com/valyala/fasthttp"
)

// key answers /v1/keys/{key}.
func (a *API) key(r *request) error {
	var err error
	if r.key, err = r.decodeKey(r.key, plusIsPlus); err != nil {
		return err
	}
	if err = r.parseQuery(0); err != nil {
		return err
	}
	switch r.method {
	case put:
		return a.putKey(r)
	case del:
		if err = r.refuseConditions(); err != nil {
			return err
		}
		if err = a.commands.DeleteKey(r.key); err != nil {
			return err
		}
		r.ctx.Response.SetStatusCode(fasthttp.StatusNoContent)
		return nil
	}
	n, err := a.commands.GetKey(r.key)
	if err != nil {
		return err
	}
	return r.reply(appendInt(r.body(), n))
}

func (a *API) putKey(r *request) error {
	ifAbsent, err := r.ifAbsent()
	if err != nil {
		return err
	}
	body, err := r.jsonBody()
	if err != nil {
		return err
	}
	n, err := parseValue(body)
	if err != nil {
		return err
	}
	created, err := a.commands.PutKey(r.key, n, ifAbsent)
	if err != nil {
		return err
	}
	if created {
		r.ctx.Response.SetStatusCode(fasthttp.StatusCreated)
	}
	return r.reply(appendInt(r.body(), n))
}

// parseValue reads a JSON integer, and tells what is wrong with any other
// value.
func parseValue(text []byte) (int64, error) {
	text = bytes.Trim(text, " \t\r\n")
	if !utf8.Valid(text) || !json.Valid(text) {
		return 0, problemf(fasthttp.StatusUnprocessableEntity, "the body must be a JSON integer, and is not JSON")
	}
	if c := text[0]; c != '-' && (c < '0' || c > '9') {
		return 0, problemf(fasthttp.StatusUnprocessableEntity,
			"the body is JSON, but not a number; only integers are stored in this release")
	}
	n, err := parseInt(text)
	switch {
	case errors.Is(err, errRange):
		return 0, problemf(fasthttp.StatusUnprocessableEntity,
			"the number is %v; only such integers are stored in this release", err)
	case err != nil:
		return 0, problemf(fasthttp.StatusUnprocessableEntity,
			"only integers are stored in this release; write the number without fraction and exponent")
	}
	return n, nil
}

// ifAbsent reads the conditions of a PUT.
func (r *request) ifAbsent() (bool, error) {
	if err := r.refuseIfMatch(); err != nil {
		return false, err
	}
	condition := r.ctx.Request.Header.Peek(fasthttp.HeaderIfNoneMatch)
	if condition == nil {
		return false, nil
	}
	if string(condition) != "*" {
		return false, problemf(fasthttp.StatusBadRequest, "If-None-Match must be * (entity tags are not supported in this release)")
	}
	return true, nil
}

func (r *request) refuseIfMatch() error {
	for _, name := range []string{fasthttp.HeaderIfMatch, fasthttp.HeaderIfUnmodifiedSince} {
		if r.ctx.Request.Header.Peek(name) != nil {
			return problemf(fasthttp.StatusBadRequest, "%s is not supported in this release; leave it out", name)
		}
	}
	return nil
}
