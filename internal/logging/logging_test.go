package logging

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestNew(t *testing.T) {
	var text, object bytes.Buffer
	log, err := New(&text, "text", slog.LevelWarn)
	if err != nil {
		t.Fatal(err)
	}
	log.Info("hidden")
	log.Warn("shown", "slot", 3)
	if got := text.String(); strings.Contains(got, "hidden") || !strings.Contains(got, "msg=shown slot=3") {
		t.Errorf("text log at warn: %q", got)
	}
	log, err = New(&object, "json", slog.LevelInfo)
	if err != nil {
		t.Fatal(err)
	}
	log.Info("shown", "slot", 3, "after", 1977*time.Millisecond)
	var record map[string]any
	if err := json.Unmarshal(object.Bytes(), &record); err != nil || record["slot"] != 3.0 || record["after"] != "1.977s" {
		t.Errorf("json log: %q, %v", object.String(), err)
	}
}

// TestLevelChanges: a logger follows its level while it is in use.
func TestLevelChanges(t *testing.T) {
	var text bytes.Buffer
	level := new(slog.LevelVar)
	log, err := New(&text, "text", level)
	if err != nil {
		t.Fatal(err)
	}
	log.Debug("before")
	level.Set(slog.LevelDebug)
	log.Debug("after")
	if got := text.String(); strings.Contains(got, "before") || !strings.Contains(got, "after") {
		t.Errorf("%q", got)
	}
}

func TestParseLevel(t *testing.T) {
	for text, want := range map[string]slog.Level{"debug": slog.LevelDebug, "INFO": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError} {
		if got, err := ParseLevel(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"loud", ""} {
		if _, err := ParseLevel(text); err == nil || !strings.Contains(err.Error(), "debug, info, warn, error") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(nil, "xml", slog.LevelInfo); err == nil || !strings.Contains(err.Error(), "xml") {
		t.Error(err)
	}
}
