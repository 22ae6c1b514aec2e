package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// side is one of the two servers that are compared.
type side struct {
	name   string
	server *server
	path   string // of the request, %d for the key
	rounds []sample
}

// sample is one round of one server.
type sample struct {
	requests       int64
	elapsed, cpu   time.Duration // cpu of the server's processes together
	p50, p99       time.Duration
	perSecond, per float64 // requests a second, nanoseconds of CPU a request
}

var errInterrupted = errors.New("interrupted")

// measureHTTP keeps both servers running and loads them in alternation, the
// order turned in every other round, so that a drift of the machine meets both
// alike.
func measureHTTP(c config, dir string, interrupted <-chan os.Signal) error {
	fondue, err := startFondue(c, filepath.Join(dir, "http"))
	if err != nil {
		return err
	}
	defer fondue.stop()
	constant, err := startConstant(c)
	if err != nil {
		return err
	}
	defer constant.stop()
	a := &side{name: "fondue", server: fondue, path: "/increment?key=bench%d"}
	b := &side{name: "constant", server: constant, path: "/increment?key=bench%d"}
	acknowledged := int64(0)
	for round := range c.rounds {
		order := []*side{a, b}
		if round%2 == 1 {
			order = []*side{b, a}
		}
		for _, s := range order {
			select {
			case <-interrupted:
				return errInterrupted
			default:
			}
			measured, total, err := loadRound(c, s)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			if s == a {
				acknowledged += total
			}
			s.rounds = append(s.rounds, measured)
			printRound(s.name, c, measured)
		}
	}
	printComparison(a.rounds, b.rounds)
	if err := weigh(fondue, "WorkerAfterLoad", "worker at rest after the load"); err != nil {
		return err
	}
	return compareCounts(c, fondue, acknowledged)
}

// compareCounts asks the server what it counted: every acknowledged increment
// and none besides, since no connection was cut.
func compareCounts(c config, fondue *server, acknowledged int64) error {
	var counted int64
	for key := range c.keys {
		var reply struct {
			Count int64 `json:"count"`
		}
		if err := fondue.getJSON(fmt.Sprintf("/report?key=bench%d", key), &reply); err != nil {
			return err
		}
		counted += reply.Count
	}
	fmt.Printf("# acknowledged %d, counted %d\n", acknowledged, counted)
	if counted != acknowledged {
		return fmt.Errorf("%d increments were acknowledged and %d counted", acknowledged, counted)
	}
	return nil
}

// loadRound loads one server from a process of its own, so that the generator's
// garbage collector and scheduler stay out of this one's clocks.
func loadRound(c config, s *side) (sample, int64, error) {
	self, err := os.Executable()
	if err != nil {
		return sample{}, 0, err
	}
	generator := exec.Command(self, "-load", s.server.address, "-path", s.path,
		"-connections", fmt.Sprint(c.connections), "-keys", fmt.Sprint(c.keys),
		"-round", c.round.String(), "-warmup", c.warmup.String())
	generator.Stderr = os.Stderr
	output, err := generator.StdoutPipe()
	if err != nil {
		return sample{}, 0, err
	}
	if err := generator.Start(); err != nil {
		return sample{}, 0, err
	}
	decoder := json.NewDecoder(output)
	// The generator says when the measured time begins and ends: the server's
	// CPU is read at the same two moments.
	var begin, end mark
	var result loadResult
	var before, after time.Duration
	err = decoder.Decode(&begin)
	if err == nil {
		before, err = s.server.cpu()
	}
	if err == nil {
		err = decoder.Decode(&end)
	}
	if err == nil {
		after, err = s.server.cpu()
	}
	if err == nil {
		err = decoder.Decode(&result)
	}
	if waited := generator.Wait(); err == nil {
		err = waited
	}
	if err != nil {
		return sample{}, 0, err
	}
	m := sample{
		requests: result.Requests, elapsed: result.Elapsed, cpu: after - before,
		p50: result.P50, p99: result.P99,
	}
	m.perSecond = float64(m.requests) / m.elapsed.Seconds()
	m.per = float64(m.cpu.Nanoseconds()) / float64(m.requests)
	return m, result.Total, nil
}

func benchName(parts ...string) string { return "Benchmark" + strings.Join(parts, "/") }
