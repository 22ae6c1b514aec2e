package main

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/fondue-server/fondue/internal/listen"
)

func TestActivated(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		env  map[string]string
		want []int
		says string // of the refusal; "" none
	}{
		{nil, nil, ""},
		{map[string]string{"LISTEN_FDS": "2"}, nil, ""},
		{map[string]string{"LISTEN_FDS": "2", "LISTEN_PID": "8"}, nil, ""}, // another's
		{map[string]string{"LISTEN_FDS": "2", "LISTEN_PID": "7", "LISTEN_FDNAMES": "a:b"}, []int{3, 4}, ""},
		{map[string]string{"LISTEN_FDS": "0", "LISTEN_PID": "7"}, nil, ""},
		{map[string]string{"LISTEN_PID": "7"}, nil, `""`},
		{map[string]string{"LISTEN_FDS": "-1", "LISTEN_PID": "7"}, nil, `"-1"`},
		{map[string]string{"LISTEN_FDS": "some", "LISTEN_PID": "7"}, nil, `"some"`},
		{map[string]string{"LISTEN_FDS": "2000000000", "LISTEN_PID": "7"}, nil, `"2000000000"`},
	} {
		fds, err := activated(func(name string) (string, bool) { v, ok := c.env[name]; return v, ok }, 7)
		refused := new(failure)
		if !slices.Equal(fds, c.want) || (err != nil) != (c.says != "") ||
			err != nil && (!errors.As(err, &refused) || refused.code != exitUsage || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%v: %v, %v", c.env, fds, err)
		}
	}
}

// TestActivatedAddresses: sockets that were passed stand for the default address,
// and not for one that was asked for.
func TestActivatedAddresses(t *testing.T) {
	t.Parallel()
	origins := map[string]string{"listen": "--listen"}
	for _, c := range []struct {
		activated []int
		before    bool
		origins   map[string]string
		want      []listen.Spec
	}{
		{[]int{3}, false, nil, nil},
		{nil, true, nil, nil},
		{[]int{3}, false, origins, []listen.Spec{{Network: listen.TCP, Addr: defaultListen}}},
		{nil, true, origins, []listen.Spec{{Network: listen.TCP, Addr: defaultListen}}},
	} {
		s := newServeOptions()
		s.activated, s.passedBefore = c.activated, c.before
		config, err := s.config(c.origins)
		if err != nil || !slices.Equal(config.Listen, c.want) || !slices.Equal(config.Activated, c.activated) {
			t.Errorf("%+v: %v, %v, %v", c, config.Listen, config.Activated, err)
		}
	}
}
