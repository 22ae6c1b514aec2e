package listen

import (
	"strings"
	"testing"
)

func TestParseSpec(t *testing.T) {
	for text, want := range map[string]Spec{
		"127.0.0.1:8000":         {TCP, "127.0.0.1:8000"},
		"localhost:0":            {TCP, "localhost:0"},
		":8000":                  {TCP, ":8000"},
		"[::1]:8000":             {TCP, "[::1]:8000"},
		"[fe80::1%lo]:65535":     {TCP, "[fe80::1%lo]:65535"},
		"0.0.0.0:00080":          {TCP, "0.0.0.0:80"},
		"unix:/run/fondue.sock":  {Unix, "/run/fondue.sock"},
		"unix:/tmp/with:a space": {Unix, "/tmp/with:a space"},
	} {
		got, err := ParseSpec(text)
		if err != nil || got != want {
			t.Errorf("ParseSpec(%q) = %+v, %v; want %+v", text, got, err, want)
			continue
		}
		if again, err := ParseSpec(got.String()); err != nil || again != got {
			t.Errorf("ParseSpec(%q) = %+v, %v; want %+v", got.String(), again, err, got)
		}
	}
}

func TestParseSpecRefuses(t *testing.T) {
	for text, says := range map[string]string{
		"":                                  "host:port",
		"8000":                              "host:port",
		"127.0.0.1":                         "host:port",
		"::1:8000":                          "host:port",
		"127.0.0.1:65536":                   "65535",
		"127.0.0.1:-1":                      "65535",
		"127.0.0.1:http":                    "\"http\"",
		"127.0.0.1:":                        "65535",
		"unix:":                             "begin with /",
		"unix:run/fondue.sock":              "begin with /",
		"unix:/run/":                        "directory",
		"unix:/a\x00b":                      "zero byte",
		"unix:/" + strings.Repeat("x", 200): "107 bytes",
	} {
		if spec, err := ParseSpec(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("ParseSpec(%q) = %+v, %v; want an error that says %q", text, spec, err, says)
		}
	}
}

func TestParseMode(t *testing.T) {
	for _, m := range []Mode{PerSlot, Shared} {
		if got, err := ParseMode(string(m)); got != m || err != nil {
			t.Errorf("ParseMode(%q) = %q, %v", m, got, err)
		}
	}
	if _, err := ParseMode("round-robin"); err == nil || !strings.Contains(err.Error(), "reuseport") {
		t.Errorf("ParseMode of an unknown mode: %v", err)
	}
}
