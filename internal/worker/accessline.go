package worker

import (
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"
)

// answered is a request as the access log has it. Its slices are looked at within
// the call alone.
type answered struct {
	remote                   netip.Addr // none: it came by a Unix socket
	method, target, protocol []byte     // no method: it could not be read
	status                   int
	size                     int // bytes of the body as sent
}

const (
	maxRequest = 2048             // bytes of the request in a line
	maxLine    = maxRequest + 512 // bytes of a line at most
)

// lineFormat writes the lines, in the common log format with the worker added:
//
//	127.0.0.1 - - [21/Nov/2026:13:55:36 +0100] "GET /count HTTP/1.1" 200 2 pid=4711 slot=0
//
// The size is "-" for none. In the request, '"', '\', and bytes outside of
// printable ASCII are written \xHH; it is cut at maxRequest bytes. A request that
// could not be read is "-".
type lineFormat struct {
	tail   string // the end of every line
	stamp  []byte // rendered time of second
	second int64
}

func newLineFormat(pid, slot int) lineFormat {
	return lineFormat{tail: " pid=" + strconv.Itoa(pid) + " slot=" + strconv.Itoa(slot) + "\n"}
}

func (f *lineFormat) append(dst []byte, r *answered, at time.Time) []byte {
	if r.remote.IsValid() {
		dst = r.remote.AppendTo(dst)
	} else {
		dst = append(dst, "unix:"...)
	}
	dst = append(dst, " - - ["...)
	dst = f.appendTime(dst, at)
	dst = append(dst, `] "`...)
	dst = appendRequest(dst, r)
	dst = append(dst, `" `...)
	dst = strconv.AppendInt(dst, int64(r.status), 10)
	dst = append(dst, ' ')
	if r.size > 0 {
		dst = strconv.AppendInt(dst, int64(r.size), 10)
	} else {
		dst = append(dst, '-')
	}
	return append(dst, f.tail...)
}

// appendTime renders each second once.
func (f *lineFormat) appendTime(dst []byte, t time.Time) []byte {
	if second := t.Unix(); second != f.second || len(f.stamp) == 0 {
		f.second = second
		f.stamp = t.AppendFormat(f.stamp[:0], "02/Jan/2006:15:04:05 -0700")
	}
	return append(dst, f.stamp...)
}

func appendRequest(dst []byte, r *answered) []byte {
	if len(r.method) == 0 {
		return append(dst, '-')
	}
	limit := len(dst) + maxRequest
	for i, part := range [...][]byte{r.method, r.target, r.protocol} {
		if i > 0 {
			dst = append(dst, ' ')
		}
		for _, c := range part {
			if len(dst) >= limit {
				return append(dst, "..."...)
			}
			if c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
				const digits = "0123456789abcdef"
				dst = append(dst, '\\', 'x', digits[c>>4], digits[c&15])
			} else {
				dst = append(dst, c)
			}
		}
	}
	return dst
}

// remoteHost is whom the access log names as the client.
func remoteHost(addr net.Addr) netip.Addr {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// answeredBy is what fasthttp is about to answer. Of one that was not read the
// context has the request before.
func answeredBy(ctx *fasthttp.RequestCtx, unread bool) answered {
	r := answered{remote: remoteHost(ctx.RemoteAddr()), status: ctx.Response.StatusCode()}
	if !ctx.IsHead() {
		r.size = len(ctx.Response.Body())
	}
	if !unread {
		header := &ctx.Request.Header
		r.method, r.target, r.protocol = header.Method(), header.RequestURI(), header.Protocol()
	}
	return r
}
