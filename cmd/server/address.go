package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/fondue-server/fondue/internal/listen"
)

// parseAddress reads --listen; the usual slips are answered with what was meant.
func parseAddress(s string) (listen.Spec, error) {
	if _, err := strconv.ParseUint(s, 10, 16); err == nil {
		return listen.Spec{}, fmt.Errorf("%q has no host; write 127.0.0.1:%s, or :%s for every interface", s, s, s)
	}
	if strings.HasPrefix(s, "/") {
		return listen.Spec{}, fmt.Errorf("%q is a path; write unix:%s", s, s)
	}
	if _, rest, ok := strings.Cut(s, "://"); ok {
		return listen.Spec{}, fmt.Errorf("%q is a URL; write %s", s, strings.TrimRight(rest, "/"))
	}
	return listen.ParseSpec(s)
}

// givenTwice returns an address that is there two times. Port 0 is another
// port each time.
func givenTwice(specs []listen.Spec) (listen.Spec, bool) {
	seen := map[listen.Spec]bool{}
	for _, s := range specs {
		if seen[s] && !strings.HasSuffix(s.Addr, ":0") {
			return s, true
		}
		seen[s] = true
	}
	return listen.Spec{}, false
}
