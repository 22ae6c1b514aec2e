package target

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// route is how a target is asked for something; %s stands for the key.
type route struct{ method, path string }

// running is a started target: its server, and what that needs, which was started
// before it.
type running struct {
	address, unix string
	server        *process
	needs         []*process
	routes        map[string]route
	took          time.Duration
	uncounted     bool // its counters mean nothing
	free          func() error
}

func (r *running) Address() string     { return r.address }
func (r *running) Unix() string        { return r.unix }
func (r *running) Command() []string   { return r.server.cmd.Args }
func (r *running) Took() time.Duration { return r.took }

func (r *running) PIDs() ([]int, error) {
	all, err := r.server.pids()
	for _, p := range r.needs {
		more, failed := p.pids()
		all, err = append(all, more...), errors.Join(err, failed)
	}
	return all, err
}

func (r *running) Request(name string) (method, path string, ok bool) {
	found, ok := r.routes[name]
	return found.method, found.path, ok
}

// Count asks for a report.
func (r *running) Count(key string) (int64, error) {
	if r.uncounted {
		return 0, errors.ErrUnsupported
	}
	report := r.routes["report"]
	response, err := http.Get("http://" + r.address + strings.Replace(report.path, "%s", key, 1))
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	var answer struct {
		Count *int64 `json:"count"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return 0, fmt.Errorf("%s: %w", report.path, err)
	}
	if answer.Count == nil {
		return 0, fmt.Errorf("%s: no count for key %s", report.path, key)
	}
	return *answer.Count, nil
}

// Stop ends the server before what it needs.
func (r *running) Stop() error {
	var all error
	if r.server != nil {
		all = r.server.stop()
	}
	for _, p := range r.needs {
		all = errors.Join(all, p.stop())
	}
	if r.free != nil {
		all = errors.Join(all, r.free())
	}
	return all
}

// probe asks once over a connection of its own. It counts nothing.
func (r *running) probe(path string) error {
	conn, err := net.Dial("tcp", r.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(answerLimit)) // a TCP connection takes deadlines
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n", path); err != nil {
		return err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", path, response.Status)
	}
	return nil
}

// counting are the routes of a target that is like fondue in what it counts.
func counting() map[string]route {
	return map[string]route{
		"increment": {"GET", "/increment?key=%s"},
		"report":    {"GET", "/report?key=%s"},
	}
}

// keyed adds the routes of values to those of counters.
func keyed(routes map[string]route) map[string]route {
	routes["get"] = route{"GET", "/v1/keys/%s"}
	routes["put"] = route{"PUT", "/v1/keys/%s"}
	return routes
}
