package command

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner walks over a text that validJSON has accepted: it looks only for
// where things end. Every byte is passed once, so that no nesting makes it
// slow.
type scanner struct {
	text []byte
	at   int
}

func (s *scanner) space() {
	for s.at < len(s.text) && isSpace(s.text[s.at]) {
		s.at++
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// trimSpace takes off the white space of JSON, which is less than Unicode's.
func trimSpace(text []byte) []byte { return bytes.Trim(text, " \t\r\n") }

// quoted passes a string and returns it with its quotes.
func (s *scanner) quoted() []byte {
	start := s.at
	for s.at++; s.text[s.at] != '"'; s.at++ {
		if s.text[s.at] == '\\' {
			s.at++
		}
	}
	s.at++
	return s.text[start:s.at]
}

// value passes one value and returns it.
func (s *scanner) value() []byte {
	start := s.at
	switch s.text[s.at] {
	case '"':
		return s.quoted()
	case '{', '[':
		for depth := 0; ; {
			switch s.text[s.at] {
			case '"':
				s.quoted()
				continue
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			}
			s.at++
			if depth == 0 {
				return s.text[start:s.at]
			}
		}
	}
	for s.at < len(s.text) && !endsLiteral(s.text[s.at]) {
		s.at++
	}
	return s.text[start:s.at]
}

func endsLiteral(c byte) bool { return c == ',' || c == '}' || c == ']' || isSpace(c) }

// object passes an object. It calls member for each of its members, with the
// name as it is written, where that begins, and the scanner at the value, which
// member passes.
func (s *scanner) object(member func(start int, name []byte)) {
	s.at++
	s.space()
	if s.text[s.at] == '}' {
		s.at++
		return
	}
	for {
		start := s.at
		name := s.quoted()
		s.space()
		s.at++ // the colon
		s.space()
		member(start, name)
		s.space()
		s.at++
		if s.text[s.at-1] == '}' {
			return
		}
		s.space()
	}
}

// unquote decodes a string as it is written, with its quotes. Half of a
// surrogate pair, which is no text, keeps a form of its own (that of WTF-8), so
// that two names are the same only when they are.
func unquote(quoted []byte) []byte {
	raw := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw
	}
	decoded := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			decoded = append(decoded, raw[i])
			continue
		}
		i++
		switch c := raw[i]; c {
		case 'b':
			decoded = append(decoded, '\b')
		case 'f':
			decoded = append(decoded, '\f')
		case 'n':
			decoded = append(decoded, '\n')
		case 'r':
			decoded = append(decoded, '\r')
		case 't':
			decoded = append(decoded, '\t')
		case 'u':
			r := hex4(raw[i+1:])
			i += 4
			if utf16.IsSurrogate(r) && i+6 < len(raw) && raw[i+1] == '\\' && raw[i+2] == 'u' {
				if pair := utf16.DecodeRune(r, hex4(raw[i+3:])); pair != utf8.RuneError {
					r = pair
					i += 6
				}
			}
			decoded = appendRune(decoded, r)
		default: // '"', '\\' and '/' stand for themselves
			decoded = append(decoded, c)
		}
	}
	return decoded
}

func appendRune(dst []byte, r rune) []byte {
	if utf16.IsSurrogate(r) {
		return append(dst, 0xe0|byte(r>>12), 0x80|byte(r>>6)&0x3f, 0x80|byte(r)&0x3f)
	}
	return utf8.AppendRune(dst, r)
}

// hex4 reads the four digits that validJSON has seen.
func hex4(digits []byte) (r rune) {
	for _, c := range digits[:4] {
		switch {
		case c <= '9':
			c -= '0'
		default:
			c = c&^0x20 - 'A' + 10
		}
		r = r<<4 | rune(c)
	}
	return r
}
