// Package lint holds the rules of this tree that no general tool knows, as a
// test: `go test ./internal/lint`. There is nothing in it to import.
//
//	unsafe        only *_unsafe.go (and *_unsafe_test.go) of internal/shm and
//	              internal/socket import it
//	imports       packages import what the table in imports_test.go allows
//	adapter       a protocol knows shm's errors and limits, nothing else of it
//	process       flags, environment and os.Exit belong to cmd/server (bench and
//	              tests apart); packages get a small Config
//	init          no init functions: nothing happens because of an import
//	length        a file has at most 400 lines, or says why in a line
//	              `//fondue:long <reason>`
//	names         no package called util, common, helpers or the like
//	gofmt         every file is as gofmt writes it
package lint
