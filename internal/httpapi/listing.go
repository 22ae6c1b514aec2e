package httpapi

import (
	"encoding/base64"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"github.com/fondue-server/fondue/internal/command"
)

// How many keys one page of a listing has.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// keys answers /v1/keys.
func (a *API) keys(r *request) error {
	if r.method == del {
		return a.deleteKeys(r)
	}
	r.limit = defaultLimit
	if err := r.parseQuery(paramPrefix | paramLimit | paramCursor); err != nil {
		return err
	}
	keys, next, err := a.commands.Scan(nil, r.prefix, r.cursor, r.limit)
	if err != nil {
		return err
	}
	b := append(r.body, `{"keys":[`...)
	for i := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendKey(b, &keys[i])
	}
	b = append(b, ']')
	if next != nil {
		b = append(b, `,"cursor":`...)
		b = command.AppendString(b, next)
	}
	return r.reply(append(b, '}'))
}

func appendKey(dst []byte, k *command.Key) []byte {
	dst = append(dst, `{"key":`...)
	dst = command.AppendString(dst, k.Key)
	if !utf8.Valid(k.Key) {
		dst = append(dst, `,"key_base64":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, k.Key)
		dst = append(dst, '"')
	}
	dst = append(dst, `,"type":"`...)
	dst = append(dst, command.TypeOf(k)...)
	dst = append(dst, `","bytes":`...)
	dst = appendInt(dst, int64(k.Bytes))
	if k.TTL > 0 {
		dst = append(dst, `,"ttl":`...)
		dst = command.AppendSeconds(dst, k.TTL)
	}
	return append(dst, '}')
}

// deleteKeys answers DELETE /v1/keys. An empty prefix is refused as none is:
// it is what a variable that was not set makes of it.
func (a *API) deleteKeys(r *request) error {
	if err := r.parseQuery(paramPrefix | paramAll); err != nil {
		return err
	}
	if err := r.refuseConditions(); err != nil {
		return err
	}
	switch all := r.given&paramAll != 0; {
	case all && r.given&paramPrefix != 0:
		return problemf(fasthttp.StatusBadRequest, "prefix and all contradict each other; give one of them")
	case !all && len(r.prefix) == 0:
		return problemf(fasthttp.StatusBadRequest, "give the prefix of the keys to delete; to delete every key write ?all=true")
	}
	return r.replyDeleted(a.commands.RemovePrefix(r.prefix))
}

// partialError is about a deletion that failed when some keys were deleted.
type partialError struct {
	deleted int
	error
}

func (e *partialError) Unwrap() error { return e.error }

func (r *request) replyDeleted(n int, err error) error {
	if err != nil {
		return &partialError{n, err}
	}
	b := append(r.body, `{"deleted":`...)
	return r.reply(append(appendInt(b, int64(n)), '}'))
}
