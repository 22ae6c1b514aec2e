package main

import (
	"net"
	"testing"
	"time"
)

func TestHistogramBuckets(t *testing.T) {
	t.Parallel()
	last := -1
	for _, n := range []uint64{0, 1, 63, 64, 65, 127, 128, 129, 255, 256, 1000, 1 << 20, 1<<20 + 1<<14, 1 << 40, 1<<62 + 1} {
		b := bucketOf(n)
		if b < last {
			t.Errorf("bucket of %d is %d, below that of a smaller number", n, b)
		}
		last = b
		if low := lowest(b); low > n || float64(n-low) > float64(n)/fine {
			t.Errorf("%d is counted as %d", n, low)
		}
	}
}

func TestHistogramQuantile(t *testing.T) {
	t.Parallel()
	var h histogram
	for i := range 100 {
		h.record(time.Duration(i))
	}
	if got := h.quantile(0.5); got != 50 {
		t.Errorf("median %d, want 50", got)
	}
	if got := h.quantile(0.99); got != 99 {
		t.Errorf("p99 %d, want 99", got)
	}
	if got := h.quantile(0.999); got != 99 {
		t.Errorf("p99.9 %d, want 99", got)
	}
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	values := []float64{4, 1, 3, 2}
	for q, want := range map[float64]float64{0: 1, 0.5: 2.5, 1: 4} {
		if got := quantile(values, q); got != want {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if got := median(nil); got != 0 {
		t.Errorf("median of nothing is %v", got)
	}
}

func TestReadReply(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		parts []string
		good  bool
	}{
		{"whole", []string{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"}, true},
		{"in pieces", []string{"HTTP/1.1 200 OK\r\nConte", "nt-Length: 2\r\n\r\n", "o", "k"}, true},
		{"empty body", []string{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, true},
		{"another status", []string{"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"}, false},
		{"no length", []string{"HTTP/1.1 200 OK\r\n\r\n"}, false},
		{"too much", []string{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nx"}, false},
		{"cut", []string{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"}, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client, server := net.Pipe()
			defer client.Close()
			go func() {
				defer server.Close()
				for _, p := range c.parts {
					if _, err := server.Write([]byte(p)); err != nil {
						return
					}
				}
			}()
			if err := readReply(client, make([]byte, 4096)); (err == nil) != c.good {
				t.Errorf("error %v, want none: %v", err, c.good)
			}
		})
	}
}
