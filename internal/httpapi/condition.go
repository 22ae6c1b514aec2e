package httpapi

import (
	"bytes"

	"github.com/valyala/fasthttp"

	"github.com/fondue-server/fondue/internal/command"
)

// readConditions reads If-Match and If-None-Match.
func (r *request) readConditions() error {
	header := &r.ctx.Request.Header
	if r.fields&fieldMatch != 0 {
		tags := tagList{versions: r.match[:0]}
		if tags.parse(header.PeekAll(fasthttp.HeaderIfMatch), strong) != nil {
			return refuseTags(fasthttp.HeaderIfMatch)
		}
		r.match = tags.versions
		r.cond.Present, r.cond.Match = tags.any, tags.list()
	}
	if r.fields&fieldNone != 0 {
		tags := tagList{versions: r.none[:0]}
		if tags.parse(header.PeekAll(fasthttp.HeaderIfNoneMatch), weak) != nil {
			return refuseTags(fasthttp.HeaderIfNoneMatch)
		}
		r.none = tags.versions
		r.cond.Absent, r.cond.Not = tags.any, tags.list()
	}
	return nil
}

// readConditionsOfChange refuses in addition what reads may ignore: no key tells
// when it was modified.
func (r *request) readConditionsOfChange() error {
	if r.fields&fieldUnmodified != 0 {
		return errUnmodified
	}
	return r.readConditions()
}

// refuseConditions refuses what would make a change conditional, where no
// condition is supported.
func (c *call) refuseConditions() error {
	if c.fields&(fieldMatch|fieldNone|fieldUnmodified) == 0 {
		return nil
	}
	return errCondition
}

var (
	errCondition = &problem{
		status: fasthttp.StatusBadRequest,
		detail: "If-Match, If-None-Match and If-Unmodified-Since are not supported here; leave them out",
	}
	errUnmodified = &problem{
		status: fasthttp.StatusBadRequest,
		detail: "If-Unmodified-Since is not supported; send If-Match with the key's ETag",
	}
)

func refuseTags(name string) error {
	return problemf(fasthttp.StatusBadRequest,
		"%s must be * or a list of entity tags, each in double quotes, as ETag has them", name)
}

// unmet tells why a condition refused a request.
func unmet(cond command.Condition) error {
	detail := "the key is unchanged: it has an ETag that If-None-Match names"
	switch {
	case cond.Match != nil:
		detail = "the key is unchanged: it has no ETag that If-Match names; read it, and send the request again with the ETag that it has now"
	case cond.Present:
		detail = "there is no such key, and none was made; leave out If-Match to create it"
	case cond.Absent:
		detail = "the key exists and is unchanged; leave out If-None-Match to change it"
	}
	return &problem{status: fasthttp.StatusPreconditionFailed, detail: detail}
}

// comparison is how entity tags are compared (RFC 9110, 8.8.3.2). All ETags
// here are strong.
type comparison bool

const (
	strong comparison = false
	weak   comparison = true
)

// tagList is "*" or the versions among entity tags. Tags that are no versions,
// and weak ones where the strong comparison counts, are like no key's.
type tagList struct {
	any      bool
	versions []command.Version
}

// list returns the versions, not nil unless any key will do.
func (l *tagList) list() []command.Version {
	if l.any {
		return nil
	}
	if l.versions == nil {
		return []command.Version{}
	}
	return l.versions
}

// parse reads the lines of one header field. The list may have empty elements.
func (l *tagList) parse(lines [][]byte, how comparison) error {
	tags := 0
	for _, line := range lines {
		for rest := trim(line); len(rest) > 0; rest = trim(rest) {
			if rest[0] == ',' {
				rest = rest[1:]
				continue
			}
			if rest[0] == '*' {
				l.any = true
				rest = rest[1:]
			} else {
				opaque, isWeak, after, ok := cutTag(rest)
				if !ok {
					return errTag
				}
				if version, ok := command.ParseVersion(opaque); ok && (!isWeak || how == weak) {
					l.versions = append(l.versions, version)
				}
				rest = after
			}
			tags++
			if rest = trim(rest); len(rest) > 0 && rest[0] != ',' {
				return errTag
			}
		}
	}
	if tags == 0 || l.any && tags > 1 {
		return errTag
	}
	return nil
}

var errTag = &problem{status: fasthttp.StatusBadRequest, detail: "not a list of entity tags"}

// cutTag reads one entity tag: W/ if it is weak, and its text in double quotes.
func cutTag(text []byte) (opaque []byte, isWeak bool, rest []byte, ok bool) {
	text, isWeak = bytes.CutPrefix(text, []byte("W/"))
	if len(text) == 0 || text[0] != '"' {
		return nil, false, nil, false
	}
	end := bytes.IndexByte(text[1:], '"')
	if end < 0 {
		return nil, false, nil, false
	}
	return text[1 : 1+end], isWeak, text[end+2:], true
}

// appendTag appends the entity tag of a version.
func appendTag(dst []byte, v command.Version) []byte {
	dst = append(dst, '"')
	dst = v.Append(dst)
	return append(dst, '"')
}
