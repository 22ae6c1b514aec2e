package httpapi

import (
	"bytes"
	"errors"
	"math"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/fondue-server/fondue/internal/command"
	"github.com/fondue-server/fondue/internal/shm"
)

// params are the parameters of a request, and what its header adds to them.
// Those not given keep the defaults that their route has set.
type params struct {
	key            []byte
	by, init       int64
	ttl            time.Duration // 0: for ever
	prefix, cursor []byte
	limit          int
	given          param
	fields         field
}

// param is a set of query parameters, as bits.
type param uint16

const (
	paramKey param = 1 << iota
	paramBy
	paramInit
	paramTTL
	paramPrefix
	paramLimit
	paramCursor
	paramAll
	// paramTTLNone, beside paramTTL, lets the ttl be none.
	paramTTLNone
)

var paramNames = []string{"key", "by", "init", "ttl", "prefix", "limit", "cursor", "all"}

// String lists the parameters in words.
func (p param) String() string {
	var names []string
	for i, name := range paramNames {
		if p&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return command.InWords(names)
}

func paramOf(name []byte) param {
	switch string(name) {
	case "key":
		return paramKey
	case "by":
		return paramBy
	case "init":
		return paramInit
	case "ttl":
		return paramTTL
	case "prefix":
		return paramPrefix
	case "limit":
		return paramLimit
	case "cursor":
		return paramCursor
	case "all":
		return paramAll
	}
	return 0
}

var ampersand, equals = []byte("&"), []byte("=")

// parseQuery reads the parameters of the query. Any that accepts does not
// have is refused.
func (c *call) parseQuery(accepts param) error {
	for rest := c.query; len(rest) > 0; {
		var pair []byte
		pair, rest, _ = bytes.Cut(rest, ampersand)
		if len(pair) == 0 {
			continue
		}
		name, value, _ := bytes.Cut(pair, equals)
		p := paramOf(name)
		if p&accepts == 0 {
			return problemf(fasthttp.StatusBadRequest, "parameter %q is unknown here; this route takes %s", name, accepts)
		}
		if p&c.given != 0 {
			return problemf(fasthttp.StatusBadRequest, "parameter %q is given twice; give it once", name)
		}
		c.given |= p
		if err := c.parseParam(p, value, accepts); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) parseParam(p param, value []byte, accepts param) (err error) {
	switch p {
	case paramKey:
		c.key, err = c.decodeKey(value, plusIsSpace)
	case paramBy:
		c.by, err = parseNumber("by", value)
	case paramInit:
		c.init, err = parseNumber("init", value)
	case paramTTL:
		text := plain(c.text[:0], value)
		if string(text) == "none" && accepts&paramTTLNone != 0 {
			return nil
		}
		c.ttl, err = command.ParseTTL(text)
	case paramPrefix:
		c.prefix, err = c.decodeKey(value, plusIsSpace)
		if errors.Is(err, shm.ErrKeyLength) || len(c.prefix) > shm.MaxKey {
			err = problemf(fasthttp.StatusBadRequest, "a prefix has at most %d bytes, as a key has", shm.MaxKey)
		}
	case paramLimit:
		var n int64
		n, err = parseNumber("limit", value)
		if c.limit = int(n); err != nil || n < 1 || n > maxLimit {
			err = problemf(fasthttp.StatusBadRequest, "limit must be an integer from 1 to %d, not %q", maxLimit, value)
		}
	case paramCursor:
		c.cursor, err = decode(make([]byte, 0, len(value)), value, plusIsPlus)
	default:
		if string(value) != "true" {
			err = problemf(fasthttp.StatusBadRequest, "all must be true, not %q", value)
		}
	}
	return err
}

// keyOrDefault parses the query of a route whose key is a parameter.
func (c *call) keyOrDefault(accepts param) error {
	c.key = defaultKey
	return c.parseQuery(accepts)
}

var defaultKey = []byte(command.DefaultKey)

// plain decodes the percent-encoding of a short value, with dst's capacity for
// it. One that is not encoded well, or long, stays as it is: it is no number,
// and no time to live, either way.
func plain(dst, value []byte) []byte {
	if bytes.IndexByte(value, '%') < 0 {
		return value
	}
	decoded, err := decode(dst, value, plusIsPlus)
	if err != nil {
		return value
	}
	return decoded
}

// parseNumber reads a decimal integer with an optional sign, percent-encoded
// or not. A '+' is a sign here: no number has a space.
func parseNumber(name string, text []byte) (int64, error) {
	var buffer [64]byte
	n, err := parseInt(plain(buffer[:0], text))
	if err != nil {
		return 0, problemf(fasthttp.StatusBadRequest, "%s must be an integer from %d to %d, not %q",
			name, math.MinInt64, math.MaxInt64, text)
	}
	return n, nil
}
