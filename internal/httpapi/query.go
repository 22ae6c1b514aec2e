package httpapi

import (
	"bytes"
	"math"

	"github.com/valyala/fasthttp"

	"github.com/fondue-server/fondue/internal/command"
)

// params are the parameters of a request, and what its header adds to them. Those not given keep the defaults
// that Handle and keyOrDefault set.
type params struct {
	key      []byte
	by, init int64
	given    param
	fields   field
}

// param is a set of query parameters, as bits.
type param uint8

const (
	paramKey param = 1 << iota
	paramBy
	paramInit
	paramTTL
)

var ampersand, equals = []byte("&"), []byte("=")

// parseQuery reads the parameters of the query. Any that accepts does not
// have is refused.
func (r *request) parseQuery(accepts param) error {
	for rest := r.query; len(rest) > 0; {
		var pair []byte
		pair, rest, _ = bytes.Cut(rest, ampersand)
		if len(pair) == 0 {
			continue
		}
		name, value, _ := bytes.Cut(pair, equals)
		var p param
		switch string(name) {
		case "key":
			p = paramKey
		case "by":
			p = paramBy
		case "init":
			p = paramInit
		case "ttl":
			p = paramTTL
		}
		if p&accepts == 0 {
			return refuseParam(name, p, accepts)
		}
		if p&r.given != 0 {
			return problemf(fasthttp.StatusBadRequest, "parameter %q is given twice; give it once", name)
		}
		r.given |= p
		var err error
		switch p {
		case paramKey:
			r.key, err = r.decodeKey(value, plusIsSpace)
		case paramBy:
			r.by, err = parseNumber(name, value)
		default:
			r.init, err = parseNumber(name, value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func refuseParam(name []byte, p, accepts param) error {
	if p == paramTTL {
		return problemf(fasthttp.StatusBadRequest, "ttl is not supported in this release; leave it out")
	}
	list := "none"
	switch accepts {
	case paramKey:
		list = "key"
	case paramKey | paramBy:
		list = "key and by"
	case paramBy | paramInit:
		list = "by and init"
	}
	return problemf(fasthttp.StatusBadRequest, "parameter %q is unknown here; this route takes %s", name, list)
}

// keyOrDefault parses the query of a route whose key is a parameter.
func (r *request) keyOrDefault(accepts param) error {
	r.key = defaultKey
	return r.parseQuery(accepts)
}

var defaultKey = []byte(command.DefaultKey)

// parseNumber reads a decimal integer with an optional sign, percent-encoded
// or not. A '+' is a sign here: no number has a space.
func parseNumber(name, text []byte) (int64, error) {
	digits := text
	var buffer [64]byte
	if bytes.IndexByte(text, '%') >= 0 {
		var err error
		if digits, err = decode(buffer[:0], text, plusIsPlus); err != nil {
			digits = nil
		}
	}
	n, err := parseInt(digits)
	if err != nil {
		return 0, problemf(fasthttp.StatusBadRequest, "%s must be an integer from %d to %d, not %q",
			name, math.MinInt64, math.MaxInt64, text)
	}
	return n, nil
}
