package e2e

import (
	"strings"
	"syscall"
	"testing"
)

// TestJoin: two masters over one region see each other's writes at once.
func TestJoin(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(leaver *Server){
		"gracefully": func(s *Server) { s.Stop() },
		"quickly":    func(s *Server) { s.Signal(syscall.SIGQUIT); s.WantExit(0) },
		"killed":     func(s *Server) { s.KillMaster(); s.WantNoOrphans(readyLimit) },
	} {
		for _, firstLeaves := range []bool{true, false} {
			who := map[bool]string{true: "first", false: "second"}[firstLeaves]
			t.Run(who+"/"+name, func(t *testing.T) {
				t.Parallel()
				first := Start(t, Options{Workers: 2})
				second := Start(t, Options{Workers: 2, Region: first.Region, Flags: []string{"--join"}})
				first.Get("/increment?key=a").WantBody(`{"key":"a","count":1}`)
				second.Get("/increment?key=a").WantBody(`{"key":"a","count":2}`)
				second.Do("PUT", "/v1/keys/b", "5").WantStatus(201)
				first.Get("/v1/keys/b").WantBody("5")
				first.Get("/reset?key=a").WantBody(`{"key":"a","count":0,"previous":2}`)
				second.Get("/report?key=a").WantStatus(200)
				if got := len(second.Workers()); got != 4 {
					t.Errorf("%d workers on the scoreboard, want those of both", got)
				}
				leaver, stayer := first, second
				if !firstLeaves {
					leaver, stayer = second, first
				}
				leave(leaver)
				for range 20 {
					stayer.Get("/increment?key=a").WantStatus(200)
				}
				stayer.Get("/v1/keys/a").WantBody("20")
				Eventually(t, readyLimit, "the slots of the one that left are free", func() bool {
					return len(stayer.Workers()) == 2
				})
				stayer.Stop()
			})
		}
	}
}

// TestJoinAgain: a place that was given up can be taken again.
func TestJoinAgain(t *testing.T) {
	t.Parallel()
	first := Start(t, Options{Workers: 1})
	for range 5 {
		second := Start(t, Options{Workers: 1, Region: first.Region, Flags: []string{"--join"}})
		second.Get("/increment?key=a").WantStatus(200)
		second.Stop()
	}
	first.Get("/v1/keys/a").WantBody("5")
	first.Stop()
	r := Run(t, nil, "serve", "--region", first.Region, "--join", "--listen", "127.0.0.1:0", "--workers", "1")
	if r.Code != 1 || !strings.Contains(r.Stderr, "without --join") {
		t.Errorf("joining nobody: code %d, %q", r.Code, r.Stderr)
	}
}
