// Package dump is the text form of a store's content, one JSON object a line
// (NDJSON), in no order:
//
//	{"key":"visits","value":42}
//	{"key":"session:7","value":{"user":"ada"},"ttl":29.512}
//	{"key_base64":"/wA=","value":null}
//
// The value is the JSON text as it was stored; white space in it that would
// begin another line is left out, and all other white space with it. The time
// to live is what was left of it, in seconds. A key that is not UTF-8 is
// written in base64 (RFC 4648, with padding).
//
// A dump of a store that others write to is no snapshot: each line is true of
// its key at one moment, a key that is there throughout is in it once or more,
// and one that comes or goes meanwhile may be in it or not. To load a line twice
// is the same as once.
package dump

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/fondue-server/fondue/internal/command"
	"github.com/fondue-server/fondue/internal/shm"
)

// Names of a line's members.
const (
	memberKey    = "key"
	memberBase64 = "key_base64"
	memberValue  = "value"
	memberTTL    = "ttl"
)

// Record is one key with what it holds.
type Record struct {
	Key   []byte
	Value shm.Value
	TTL   time.Duration // left to live, in whole milliseconds; 0: for ever
}

// errNotJSON: bytes that no protocol of this server has written.
var errNotJSON = errors.New("the value is no JSON text")

// appendLine appends the record and a newline.
func (r *Record) appendLine(dst []byte) ([]byte, error) {
	dst = append(dst, '{')
	if utf8.Valid(r.Key) {
		dst = appendMember(dst, memberKey)
		dst = command.AppendString(dst, r.Key)
	} else {
		dst = appendMember(dst, memberBase64)
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, r.Key)
		dst = append(dst, '"')
	}
	dst = append(dst, ',')
	dst = appendMember(dst, memberValue)
	dst, err := appendValue(dst, r.Value)
	if err != nil {
		return nil, err
	}
	if r.TTL > 0 {
		dst = append(dst, ',')
		dst = appendMember(dst, memberTTL)
		dst = command.AppendSeconds(dst, r.TTL)
	}
	return append(dst, "}\n"...), nil
}

func appendMember(dst []byte, name string) []byte {
	dst = append(dst, '"')
	dst = append(dst, name...)
	return append(dst, `":`...)
}

func appendValue(dst []byte, v shm.Value) ([]byte, error) {
	if v.Integer {
		return strconv.AppendInt(dst, v.Int, 10), nil
	}
	if !utf8.Valid(v.Bytes) || !json.Valid(v.Bytes) {
		return nil, errNotJSON
	}
	if bytes.IndexByte(v.Bytes, '\n') < 0 && bytes.IndexByte(v.Bytes, '\r') < 0 {
		return append(dst, v.Bytes...), nil
	}
	compact := bytes.NewBuffer(dst)
	if err := json.Compact(compact, v.Bytes); err != nil {
		return nil, err
	}
	return compact.Bytes(), nil
}
