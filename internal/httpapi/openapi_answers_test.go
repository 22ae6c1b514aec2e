package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/fondue-server/fondue/internal/command"
	"github.com/fondue-server/fondue/internal/shm"
)

// TestDescribedAnswers sends each request that the document has as an example,
// and for each status that it tells of one that is answered so. Whatever is
// answered has to be described: its status, its fields and its body. And
// whatever is described has to be answered, down to the examples.
func TestDescribedAnswers(t *testing.T) {
	t.Parallel()
	s := &survey{t: t, d: readDescription(t), statuses: map[string]map[string]bool{}, fields: map[string]bool{}, bodies: map[string]bool{}}
	s.operations = s.d.operations()
	s.sendExamples()
	s.sendProvocations()
	s.sendToFull()
	s.sendToDraining()
	s.sendAndEvict()
	s.sendBroken()
	s.recordErrors()
	s.judge()
}

// survey is what was answered, over all requests.
type survey struct {
	t          *testing.T
	d          *description
	operations []operation
	mu         sync.Mutex
	statuses   map[string]map[string]bool // by operation
	fields     map[string]bool            // "operation field"
	bodies     map[string]bool            // those of examples, as alike makes them
}

// find is the operation that a request is one of.
func (s *survey) find(line string) operation {
	method, target, _ := strings.Cut(line, " ")
	path, _, _ := strings.Cut(target, "?")
	var best operation
	for _, o := range s.operations {
		pattern := regexp.MustCompile(`\\\{[a-z]+\\\}`).ReplaceAllString(regexp.QuoteMeta(o.path), "[^/]*")
		if o.method == method && regexp.MustCompile("^"+pattern+"$").MatchString(path) && !strings.Contains(best.path, path) {
			best = o
		}
	}
	if best.path == "" {
		s.t.Fatalf("%s is not described", line)
	}
	return best
}

// send sends a request and judges the answer.
func (s *survey) send(c *client, line, header, body string) int {
	s.t.Helper()
	response, text := c.do(line, header, body)
	s.record(s.find(line), line, response, text)
	return response.StatusCode
}

func (s *survey) record(o operation, what string, response *http.Response, body string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	status := strconv.Itoa(response.StatusCode)
	answer := o.node.at("responses", status)
	if len(what) > 100 {
		what = what[:100] + "..."
	}
	if answer.value == nil {
		s.t.Errorf("%s: %s is not described: %s", what, status, body)
		return
	}
	answer.check(what, response, body)
	if s.statuses[o.String()] == nil {
		s.statuses[o.String()] = map[string]bool{}
	}
	s.statuses[o.String()][status] = true
	for _, name := range told {
		if response.Header.Get(name) != "" && response.StatusCode < 300 {
			s.fields[o.String()+" "+name] = true
		}
	}
	s.bodies[alike(o.path, body)] = true
}

// alike leaves out of a body what is another at each run.
func alike(path, body string) string {
	var value any
	if json.Unmarshal([]byte(body), &value) != nil {
		return body
	}
	b, _ := json.Marshal(value) // of what was JSON: members in order, no white space
	body = inExample(string(b))
	body = regexp.MustCompile(`"(time|[a-z]+_at)":"[^"]*"`).ReplaceAllString(body, `"$1":""`)
	if (path == "/v1/region" || path == "/v1/workers" || path == "/v1/status") && !strings.Contains(body, "detail") {
		body = regexp.MustCompile(`:[0-9.e+]+`).ReplaceAllString(body, ":0")
	}
	return body
}

// newSeededClient has the keys that the examples name.
func newSeededClient(t testing.TB) *client {
	t.Helper()
	c := newClientOf(t, newCommandsOf(t, 4<<20, shm.Policy{}))
	for _, line := range []string{"PUT /v1/keys/user:1 " + `{"name":"ann","visits":1}`, "PUT /v1/keys/visits 4", "PUT /v1/keys/count 0", "PUT /v1/keys/a [1]"} {
		words := strings.SplitN(line, " ", 3)
		c.do(words[0]+" "+words[1], "", words[2])
	}
	return c
}

type exampleBody struct{ media, text string }

func bodiesOf(o operation) (bodies []exampleBody) {
	content := o.node.at("requestBody", "content")
	for _, media := range content.names() {
		for _, name := range content.at(media, "examples").names() {
			text, err := json.Marshal(content.at(media, "examples", name, "value").value)
			if err != nil {
				o.node.d.t.Fatal(err)
			}
			bodies = append(bodies, exampleBody{media, string(text)})
		}
	}
	return bodies
}

// sendExamples sends each operation with what it needs, and with each example
// of what it takes beside that. All are answered well but those below.
func (s *survey) sendExamples() {
	refused := map[string]int{
		"DELETE /v1/keys":                     400, // neither prefix nor all
		"PATCH /v1/keys/user:1":               422, // neither body nor ttl
		"PATCH /v1/keys/user:1 If-Match":      422,
		"PATCH /v1/keys/user:1 If-None-Match": 422,
	}
	for _, o := range s.operations {
		bodies := bodiesOf(o)
		if len(bodies) == 0 || o.node.at("requestBody", "required").value != true {
			bodies = append(bodies, exampleBody{})
		}
		for _, b := range bodies {
			header := ""
			if b.media != "" {
				header = "Content-Type: " + b.media + "\r\n"
			}
			line := o.method + " " + o.target()
			for _, p := range append([]node{{}}, o.parameters...) {
				sent, fields, name := line, header, ""
				switch p.at("in").text() {
				case "path":
					continue
				case "query":
					sent += "?" + p.at("name").text() + "=" + exampleOf(p)
				case "header":
					name = " " + p.at("name").text()
					fields += p.at("name").text() + ": " + exampleOf(p) + "\r\n"
				}
				want, isRefused := refused[sent+name]
				status := s.send(newSeededClient(s.t), sent, fields, b.text)
				if good := status < 300; good == (isRefused && b.text == "") || !good && status != want {
					s.t.Errorf("%s%s %s: %d", sent, name, b.text, status)
				}
			}
		}
	}
}

// judge tells what is described and was not answered.
func (s *survey) judge() {
	for _, o := range s.operations {
		for _, status := range o.node.at("responses").names() {
			if !s.statuses[o.String()][status] && unprovoked[status] == "" && unprovoked[status+" "+o.path] == "" {
				s.t.Errorf("%s: %s was never answered", o, status)
			}
			for _, name := range o.node.at("responses", status, "headers").names() {
				if status < "300" && !s.fields[o.String()+" "+name] {
					s.t.Errorf("%s: %s was never there", o, name)
				}
			}
			s.judgeExamples(o, status)
		}
	}
}

// judgeExamples tells which examples of JSON nobody was answered with.
func (s *survey) judgeExamples(o operation, status string) {
	if o.method == "HEAD" || o.path == "/openapi.json" && status == "200" {
		return // no body; one that is cut
	}
	content := o.node.at("responses", status, "content")
	for _, media := range content.names() {
		examples := []node{content.at(media, "example")}
		for _, name := range content.at(media, "examples").names() {
			examples = append(examples, content.at(media, "examples", name, "value"))
		}
		for _, example := range examples {
			text, err := json.Marshal(example.value)
			if err != nil {
				s.t.Fatal(err)
			}
			if example.value != nil && strings.HasSuffix(media, "json") && !s.bodies[alike(o.path, string(text))] {
				s.t.Errorf("%s: nobody was answered with the example %s", o, example.pointer)
			}
		}
	}
}

// unprovoked are the statuses that no request alone brings about, with the reason.
var unprovoked = map[string]string{
	"500": "the region has to be damaged",
	"503": "a process has to be stopped within a change, as in internal/shm/stopped_test.go; that of /readyz is provoked",
	// A reset takes an entry only where the generation of the counter's word comes round.
	"507 /reset": "what a reset needs, beside what it gives back, is kept in reserve: other resets have to have used it up",
}

// recordErrors has the bodies of answers to errors that no request brings about.
func (s *survey) recordErrors() {
	api := New(newCommands(s.t), func(error) {})
	for _, err := range []error{shm.ErrCorrupt, shm.ErrLocked, command.ErrContended} {
		r := new(request)
		api.refuse(r, err)
		s.bodies[alike("", string(r.body))] = true
	}
}

// sendBroken breaks each request in the ways in which any can be.
func (s *survey) sendBroken() {
	c := newSeededClient(s.t)
	var waiting sync.WaitGroup // for those that are never complete, side by side
	for _, o := range s.operations {
		line := o.method + " " + o.target()
		for status, request := range map[int]string{
			400: line + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: y\r\n z\r\n\r\n",
			408: line + " HTTP/1.1\r\nHost: a\r\n",
			413: line + " HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n",
			417: line + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 200-ok\r\n\r\n",
			431: line + " HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", MaxHeader) + "\r\n\r\n",
			505: line + " HTTP/2.0\r\nHost: a\r\nConnection: close\r\n\r\n",
		} {
			waiting.Go(func() {
				response, body := c.raw(request, o.method)
				if response.StatusCode != status {
					s.t.Errorf("%s: %d, want %d: %s", o, response.StatusCode, status, body)
				}
				s.record(o, request, response, body)
			})
		}
	}
	waiting.Wait()
}

func (s *survey) sendToDraining() {
	c := newSeededClient(s.t)
	c.commands.Drain()
	for _, line := range []string{"GET /readyz", "HEAD /readyz"} {
		if status := s.send(c, line, "", ""); status != 503 {
			s.t.Errorf("%s: %d", line, status)
		}
	}
}

// sendToFull sends what needs room to a region that has none.
func (s *survey) sendToFull() {
	c := newClientOf(s.t, newCommandsOf(s.t, 2<<20, shm.Policy{}))
	// Long keys, then what fits between them, until every shard has refused some.
	for _, tail := range []string{strings.Repeat("k", 480), ""} {
		for i, refused := 0, 0; refused < 60; i++ {
			if _, _, err := c.commands.Increment(fmt.Appendf(nil, "f%d%s", i, tail), 1, 0, 0); err != nil {
				refused++
			}
		}
	}
	for _, line := range []string{
		"GET /increment?key=new", "POST /increment?key=new", "POST /v1/keys/new/increment", "PUT /v1/keys/new {}", `PATCH /v1/keys/new {"a":1}`, `PUT /args {"a":1}`,
	} {
		words := append(strings.SplitN(line, " ", 3), "")
		if status := s.send(c, words[0]+" "+words[1], "", words[2]); status != 507 {
			s.t.Errorf("%s: %d", line, status)
		}
	}
}

// sendAndEvict changes what has no room, until each kind of change has made
// others go.
func (s *survey) sendAndEvict() {
	c := newClientOf(s.t, newCommandsOf(s.t, 2<<20, shm.Policy{Evict: true}))
	large := `{"a":"` + strings.Repeat("x", 20000) + `"}`
	for _, change := range []struct{ line, body string }{
		{"GET /increment?key=N", ""},
		{"POST /increment?key=N", ""},
		{"POST /v1/keys/N/increment", ""},
		{"PUT /v1/keys/N", large},
		{"PATCH /v1/keys/N", large},
		{"PUT /args", large},
		{"POST /v1/batch", `[{"op":"put","key":"N","value":` + large + `}]`},
	} {
		o := s.find(change.line)
		for i := 0; !s.fields[o.String()+" Fondue-Evicted"]; i++ {
			if i == 20000 {
				s.t.Fatalf("%s: nothing is evicted", o)
			}
			// What was evicted may be less than the next needs: fill up.
			c.do("PUT /v1/keys/fill"+itoa(i), "", large)
			name := strings.Repeat("n", 400) + itoa(i)
			s.send(c, strings.Replace(change.line, "N", name, 1), "", strings.Replace(change.body, "N", name, 1))
		}
	}
}
