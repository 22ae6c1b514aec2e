package listen

import (
	"path/filepath"
	"strings"
	"testing"
)

// The message names the flag, the value and what would be right.
func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	for address, says := range map[string]string{
		"no.such.host.invalid:80":      `"no.such.host.invalid" has no address`,
		"unix:" + dir + "/none/x.sock": "no such file or directory; make the directory " + dir + "/none or",
		"[fe80::1%nosuchif]:80":        "no network interface",
		"unix:" + filepath.Dir(dir):    "no socket",
		"192.0.2.1:80":                 "does not have the address",
	} {
		spec, err := ParseSpec(address)
		if err != nil {
			t.Fatal(err)
		}
		l, err := Open(spec, 1, PerSlot)
		if err == nil {
			l.Close()
		}
		if err == nil || !strings.HasPrefix(err.Error(), "--listen "+address+": ") || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestCovers(t *testing.T) {
	dir := t.TempDir()
	tcp := open(t, "127.0.0.1:0", 1, PerSlot)
	_, port, _ := strings.Cut(tcp.Addr(), ":")
	file := open(t, "unix:"+dir+"/s", 1, PerSlot)
	all := open(t, ":0", 1, PerSlot)
	anywhere := all.Addr()[strings.LastIndex(all.Addr(), ":"):]
	for _, c := range []struct {
		l       *Listener
		address string
		want    bool
	}{
		{tcp, "127.0.0.1:" + port, true},
		{tcp, "localhost:" + port, true},
		{tcp, "[::ffff:127.0.0.1]:" + port, true},
		{tcp, "0.0.0.0:" + port, true},
		{tcp, ":" + port, true},
		{tcp, "127.0.0.2:" + port, false},
		{tcp, "127.0.0.1:1", false},
		{tcp, "unix:" + dir + "/s", false},
		{all, "127.0.0.1" + anywhere, true},
		{file, "unix:" + dir + "/./s", true},
		{file, "unix:" + dir + "/other", false},
	} {
		spec, err := ParseSpec(c.address)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.l.Covers(spec); got != c.want {
			t.Errorf("%s covers %s: %v, want %v", c.l, spec, got, c.want)
		}
	}
}
