package main

import (
	"io"
	"strings"
	"testing"
)

func TestOptions(t *testing.T) {
	t.Parallel()
	o := newOptions()
	if err := o.parse([]string{"-targets", "fondue,nginx-lua", "-workers", "1,2", "-workloads", "increment,put", "-keys", "1,1000", "-bytes", "100,1024", "-connections", "64"}); err != nil {
		t.Fatal(err)
	}
	c, err := o.config()
	if err != nil || len(c.Targets) != 4 {
		t.Fatalf("%d targets, %v", len(c.Targets), err)
	}
	var names []string
	for _, l := range c.Loads {
		names = append(names, l.Name())
	}
	want := "increment/keys=1/conns=64 increment/keys=1000/conns=64 put/keys=1/conns=64/bytes=100 put/keys=1/conns=64/bytes=1024 put/keys=1000/conns=64/bytes=100 put/keys=1000/conns=64/bytes=1024"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("loads\n%s\nwant\n%s", got, want)
	}
}

func TestVariants(t *testing.T) {
	t.Parallel()
	for targets, want := range map[string]int{"fondue": 3, "fondue,fondue-no-lane": 4, "fondue,fondue-b": 3, "fondue,fondue-b/workers=2": 3} {
		o := newOptions()
		if err := o.parse([]string{"-targets", targets, "-workers", "2", "-variant", "a=--accept shared", "-variant", "b=--log-level=error"}); err != nil {
			t.Fatal(err)
		}
		c, err := o.config()
		if err != nil || len(c.Targets) != want {
			t.Errorf("%s: %d targets, want %d; %v", targets, len(c.Targets), want, err)
		}
	}
}

func TestOptionsRefuse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ args, says string }{
		{"-targets apache", "apache"},
		{"-workers none", "whole number"},
		{"-keys ,", "-keys"},
		{"-connections 0", "-connections"},
		{"-beside-idle -1", "-beside-idle"},
		{"more", "more"},
		{"-variant shared=--x", "shared"},
	} {
		o := newOptions()
		o.flags.SetOutput(io.Discard)
		err := o.parse(strings.Fields(c.args))
		if err == nil {
			_, err = o.config()
		}
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.args, err)
		}
	}
}
