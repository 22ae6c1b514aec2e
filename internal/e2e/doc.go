// Package e2e runs the real binary for tests: it builds it once, starts it over
// a region of its own, and leaves nothing behind. Only tests import it.
//
// A package that uses it has
//
//	func TestMain(m *testing.M) { e2e.Main(m) }
//
// and a test then reads
//
//	s := e2e.Start(t, e2e.Options{Workers: 4})
//	s.Get("/increment?key=a").WantStatus(200)
//	s.Kill(s.Workers()[0].PID)
//	s.Stop() // graceful, exit 0, region clean: also what happens if a test forgets
package e2e
