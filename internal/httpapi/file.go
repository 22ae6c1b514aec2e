package httpapi

import (
	"github.com/valyala/fasthttp"
)

// replyFile answers with the file that the path names, compressed for who takes
// that. Parameters are ignored: links to a page have whatever others add to them.
// Under the same name another version of the program has other bytes:
// whoever keeps a copy asks before it is used again.
func (r *request) replyFile() error {
	request, header := &r.ctx.Request.Header, &r.ctx.Response.Header
	form := r.file.Form(takesGzip(request.PeekAll(fasthttp.HeaderAcceptEncoding)))
	known := false
	if r.fields&fieldNone != 0 {
		var err error
		if known, err = names(request.PeekAll(fasthttp.HeaderIfNoneMatch), form.Tag); err != nil {
			return refuseTags(fasthttp.HeaderIfNoneMatch)
		}
	}
	header.SetCanonical(nameETag, []byte(form.Tag))
	header.Set(fasthttp.HeaderCacheControl, "no-cache")
	header.Set(fasthttp.HeaderVary, fasthttp.HeaderAcceptEncoding)
	header.Set(fasthttp.HeaderXContentTypeOptions, "nosniff")
	if r.file.Policy != "" {
		header.Set(fasthttp.HeaderContentSecurityPolicy, r.file.Policy)
	}
	if known {
		r.status = fasthttp.StatusNotModified
		return nil
	}
	if form.Encoding != "" {
		header.SetContentEncoding(form.Encoding)
	}
	header.SetContentType(r.file.Type)
	r.raw = form.Body
	return nil
}

// names tells whether a list of entity tags, or "*", names a tag, in the weak
// comparison.
func names(lines [][]byte, tag string) (found bool, err error) {
	tag = tag[1 : len(tag)-1]
	var list tagList
	if err := list.parse(lines, weak); err != nil || list.any {
		return list.any, err
	}
	for _, line := range lines {
		for rest := line; len(rest) > 0; {
			if rest[0] == ',' || rest[0] == ' ' || rest[0] == '\t' {
				rest = rest[1:]
				continue
			}
			var opaque []byte
			opaque, _, rest, _ = cutTag(rest)
			found = found || string(opaque) == tag
		}
	}
	return found, nil
}
