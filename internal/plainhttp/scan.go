package plainhttp

import "bytes"

// Verdict is what became of a scan.
type Verdict uint8

const (
	// Whole: the input begins with a whole request.
	Whole Verdict = iota
	// Part: what is there is the beginning of a plain request, or nothing.
	Part
	// Doubt: it is for a complete parser.
	Doubt
)

// MaxHead is how many bytes a plain request may have.
const MaxHead = 4 << 10

// Request is a whole plain request. Its slices lie in the input.
type Request struct {
	Post   bool   // the method is POST, else GET
	Target []byte // begins with a slash
	Close  bool   // the client asks for the end of the connection
	Size   int    // bytes of the request
}

// Method is GET or POST.
func (r *Request) Method() []byte {
	if r.Post {
		return nameOfPost
	}
	return nameOfGet
}

var nameOfGet, nameOfPost = []byte("GET"), []byte("POST")

// Scanner recognises plain requests. It remembers the headers that it has seen: a
// client sends the same one with every request, and it need not be read again. It
// belongs to one goroutine.
type Scanner struct {
	seen [memory]memo
}

// Hint is where the Scanner found the header of a client's last request. It is a
// guess, and any value is safe.
type Hint = uint8

const (
	methodGet  = "GET "
	methodPost = "POST "
	version    = " HTTP/1.1\r\n"
)

// Scan reads the first request of the input into r. It changes the hint for the
// next one.
func (s *Scanner) Scan(in []byte, r *Request, hint *Hint) Verdict {
	r.Post = false
	target := methodGet
	if len(in) > 0 && in[0] == 'P' {
		r.Post, target = true, methodPost
	}
	if len(in) <= len(target) {
		if string(in) == target[:len(in)] {
			return Part
		}
		return Doubt
	}
	if string(in[:len(target)]) != target || in[len(target)] != '/' {
		return Doubt
	}
	end := len(target)
	for end < len(in) && inTarget[in[end]] {
		end++
	}
	r.Target = in[len(target):end]
	rest := in[end:]
	if len(rest) < len(version) {
		if string(rest) == version[:len(rest)] {
			return part(in)
		}
		return Doubt
	}
	if string(rest[:len(version)]) != version {
		return Doubt
	}
	rest = rest[len(version):]
	m := &s.seen[*hint%memory]
	if len(m.block) == 0 || !bytes.HasPrefix(rest, m.block) {
		f, v := readFields(rest)
		if v == Part {
			return part(in)
		}
		if v == Doubt {
			return Doubt
		}
		s.remember(rest[:f.size], f.close, hint)
		r.Size, r.Close = len(in)-len(rest)+f.size, f.close
	} else {
		r.Size, r.Close = len(in)-len(rest)+len(m.block), m.close
	}
	if r.Size > MaxHead {
		return Doubt
	}
	return Whole
}

// part is what is said of an input that may become a plain request, if it is short
// enough.
func part(in []byte) Verdict {
	if len(in) > MaxHead {
		return Doubt
	}
	return Part
}

// inTarget has the bytes that a target may have here: visible ASCII without '#'.
var inTarget = func() (table [256]bool) {
	for c := '!'; c <= '~'; c++ {
		table[c] = c != '#'
	}
	return table
}()
