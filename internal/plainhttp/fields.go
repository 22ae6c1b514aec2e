package plainhttp

import (
	"bytes"
	"net/netip"
)

// fields is what a header says, and how many bytes it has with its empty line.
type fields struct {
	size   int
	close  bool
	host   bool
	option bool // Connection is there
	length bool // Content-Length is there
}

// readFields reads the lines of a header up to the empty one.
func readFields(in []byte) (f fields, v Verdict) {
	for {
		line := in[f.size:]
		end := bytes.IndexByte(line, '\n')
		if end < 0 {
			// A CR within a line would come to light with the rest of it.
			return f, Part
		}
		if end == 0 || line[end-1] != '\r' {
			return f, Doubt
		}
		f.size += end + 1
		if end == 1 {
			if !f.host {
				return f, Doubt
			}
			return f, Whole
		}
		if !f.read(line[:end-1]) {
			return f, Doubt
		}
	}
}

// read reads one line. It says whether the line is plain.
func (f *fields) read(line []byte) (plain bool) {
	n := 0
	for n < len(line) && inName[line[n]] {
		n++
	}
	if n == 0 || n == len(line) || line[n] != ':' {
		return false
	}
	name, value := line[:n], line[n+1:]
	for _, c := range value {
		if c < ' ' || c > '~' {
			return false
		}
	}
	value = bytes.TrimPrefix(value, []byte(" "))
	switch name[0] | 0x20 {
	case 'h':
		if !bytes.EqualFold(name, []byte("Host")) || f.host {
			return false
		}
		f.host = true
		return isHost(value)
	case 'c', 'e', 'i', 'k', 'p', 't', 'u', 'r':
		return f.readSpecial(name, value)
	}
	return true
}

// longestName is more than the longest name below has.
const longestName = 32

// readSpecial reads a field whose name begins as that of one that matters.
func (f *fields) readSpecial(name, value []byte) (plain bool) {
	var lower [longestName]byte
	if len(name) > len(lower) {
		return false
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		lower[i] = c
	}
	switch string(lower[:len(name)]) {
	case "connection":
		if f.option {
			return false
		}
		f.option = true
		f.close = bytes.EqualFold(value, []byte("close"))
		return f.close || bytes.EqualFold(value, []byte("keep-alive"))
	case "content-length":
		if f.length {
			return false
		}
		f.length = true
		return string(value) == "0"
	case "cache-control", "cdn-loop", "content-type", "cookie", "pragma", "priority", "purpose", "referer",
		"user-agent", "upgrade-insecure-requests", "true-client-ip", "traceparent", "tracestate":
		return true
	}
	return false
}

// isHost takes a name or an address, with or without a port.
func isHost(text []byte) bool {
	if inside, bracket := bytes.CutPrefix(text, []byte("[")); bracket {
		address, rest, closed := bytes.Cut(inside, []byte("]"))
		if a, err := netip.ParseAddr(string(address)); !closed || err != nil || !a.Is6() || a.Zone() != "" {
			return false
		}
		return len(rest) == 0 || rest[0] == ':' && isPort(rest[1:])
	}
	n := 0
	for n < len(text) && inHost[text[n]] {
		n++
	}
	return n > 0 && (n == len(text) || text[n] == ':' && isPort(text[n+1:]))
}

func isPort(digits []byte) bool {
	n := 0
	for _, c := range digits {
		if c < '0' || c > '9' || n > 65535 {
			return false
		}
		n = n*10 + int(c-'0')
	}
	return len(digits) > 0 && n <= 65535
}

const nameBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"

// inHost has the bytes that the name of a host may have here, and inName those of the
// name of a field.
var inHost, inName = func() (host, name [256]bool) {
	for _, c := range nameBytes {
		host[c], name[c] = true, c != '.'
	}
	return host, name
}()
