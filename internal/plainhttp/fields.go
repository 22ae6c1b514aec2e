package plainhttp

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"
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
		return isHost(string(value))
	case 'c', 'e', 'i', 'k', 'p', 't', 'u', 'r':
		return f.readSpecial(name, value)
	}
	return true
}

// readSpecial reads a field whose name begins as that of one that matters.
func (f *fields) readSpecial(name, value []byte) (plain bool) {
	switch strings.ToLower(string(name)) {
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
func isHost(text string) bool {
	name, port, found := strings.Cut(text, ":")
	if inside, bracket := strings.CutPrefix(text, "["); bracket {
		address, rest, closed := strings.Cut(inside, "]")
		if a, err := netip.ParseAddr(address); !closed || err != nil || !a.Is6() || a.Zone() != "" {
			return false
		}
		if port, found = strings.CutPrefix(rest, ":"); !found {
			return rest == ""
		}
	} else if name == "" || strings.Trim(name, nameBytes) != "" {
		return false
	}
	if !found {
		return true
	}
	_, err := strconv.ParseUint(port, 10, 16)
	return err == nil
}

const nameBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"

// inName has the bytes that the name of a field may have here.
var inName = func() (table [256]bool) {
	for _, c := range nameBytes {
		table[c] = c != '.'
	}
	return table
}()
