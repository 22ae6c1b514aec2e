package logging

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestNew(t *testing.T) {
	var text, object bytes.Buffer
	log, err := New(&text, "text", "warn")
	if err != nil {
		t.Fatal(err)
	}
	log.Info("hidden")
	log.Warn("shown", "slot", 3)
	if got := text.String(); strings.Contains(got, "hidden") || !strings.Contains(got, "msg=shown slot=3") {
		t.Errorf("text log at warn: %q", got)
	}
	log, err = New(&object, "json", "INFO")
	if err != nil {
		t.Fatal(err)
	}
	log.Info("shown", "slot", 3)
	var record map[string]any
	if err := json.Unmarshal(object.Bytes(), &record); err != nil || record["slot"] != 3.0 {
		t.Errorf("json log: %q, %v", object.String(), err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct{ format, level, names string }{
		{"xml", "info", "xml"},
		{"text", "loud", "loud"},
		{"text", "", "debug"},
	} {
		if _, err := New(nil, c.format, c.level); err == nil || !strings.Contains(err.Error(), c.names) {
			t.Errorf("New(%q, %q): %v", c.format, c.level, err)
		}
	}
}
