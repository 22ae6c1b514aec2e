package httpapi

import (
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/plainhttp"
)

// BenchmarkLane is a request from its bytes to those of its response.
func BenchmarkLane(b *testing.B) {
	api := newHotAPI(b)
	for _, one := range []struct{ name, line string }{
		{"increment", "POST /increment?key=cnt"},
		{"key-increment", "POST /v1/keys/hits/increment"},
		{"report", "GET /report?key=cnt"},
		{"get-100B", "GET /v1/keys/hundred"},
		{"get-missing", "GET /v1/keys/missing"},
	} {
		in := []byte(one.line + " HTTP/1.1\r\nHost: localhost:8000\r\nUser-Agent: x/1 (y; z)\r\nAccept: */*\r\n\r\n")
		b.Run(one.name, func(b *testing.B) {
			var s plainhttp.Scanner
			var q plainhttp.Request
			var hint plainhttp.Hint
			l, out, now := api.NewLane(), []byte(nil), time.Now()
			b.ReportAllocs()
			for b.Loop() {
				if s.Scan(in, &q, &hint) != plainhttp.Whole {
					b.Fatal("not plain")
				}
				var ok bool
				if out, _, ok = l.Answer(out[:0], &q, false, now); !ok {
					b.Fatal("not for the lane")
				}
			}
		})
	}
}
