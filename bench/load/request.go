package load

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// kind tells apart what is counted.
type kind uint8

const (
	increment kind = iota
	report
	get
	put
	kinds
)

var kindNames = [kinds]string{"increment", "report", "get", "put"}

// call is a request without its key: what comes before and after it.
type call struct {
	head, tail []byte
	keyed      bool // the path has a place for the key
}

// calls are the requests of a workload; all connections read them.
type calls [kinds]call

func newCalls(s Settings) *calls {
	var all calls
	needed := Needs(s.Load.Workload)
	for k, name := range kindNames {
		if !slices.Contains(needed, name) {
			continue
		}
		r := s.Requests[name]
		before, after, keyed := strings.Cut(r.Path, "%s")
		var rest bytes.Buffer
		fmt.Fprintf(&rest, "%s HTTP/1.1\r\nHost: bench\r\n", after)
		if !s.Load.KeepAlive {
			rest.WriteString("Connection: close\r\n")
		}
		switch {
		case kind(k) == put:
			fmt.Fprintf(&rest, "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n", s.Load.Bytes)
			rest.Write(value(s.Load.Bytes))
		case r.Method != "GET":
			rest.WriteString("Content-Length: 0\r\n\r\n")
		default:
			rest.WriteString("\r\n")
		}
		all[k] = call{head: []byte(r.Method + " " + before), tail: rest.Bytes(), keyed: keyed}
	}
	return &all
}

// value is a JSON string of so many bytes, its quotes included.
func value(size int) []byte {
	text := bytes.Repeat([]byte("v"), size)
	text[0], text[size-1] = '"', '"'
	return text
}

// write appends the request of one key.
func (c *call) write(to []byte, key int) []byte {
	to = append(to, c.head...)
	if c.keyed {
		to = append(to, keyPrefix...)
		to = strconv.AppendInt(to, int64(key), 10)
	}
	return append(to, c.tail...)
}

// size is the most that a request may have.
func (c *calls) size() int {
	most := 0
	for _, one := range c {
		most = max(most, len(one.head)+len(one.tail))
	}
	return most + len(keyPrefix) + len("9223372036854775807")
}

// mixer says which kind of request is next. It is one connection's.
type mixer struct {
	usual  kind
	random *rand.Rand // nil where there is one kind
}

// A mixed load is one increment in ten requests.
const mixedOneIn = 10

func newMixer(workload string, random *rand.Rand) mixer {
	switch workload {
	case "mixed":
		return mixer{report, random}
	case "report":
		return mixer{usual: report}
	case "get":
		return mixer{usual: get}
	case "put":
		return mixer{usual: put}
	default:
		return mixer{usual: increment}
	}
}

func (m mixer) next() kind {
	if m.random != nil && m.random.IntN(mixedOneIn) == 0 {
		return increment
	}
	return m.usual
}
