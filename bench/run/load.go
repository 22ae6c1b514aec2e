package run

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/fondue-server/fondue/bench/load"
	"github.com/fondue-server/fondue/bench/result"
)

// errTooShort: no request has failed either. Whoever is answered later than that
// needs longer rounds.
var errTooShort = errors.New("no request was answered within the round")

// seat is one target under one load.
type seat struct {
	side         *side
	server       *server
	requests     map[string]load.Request
	cell         result.Cell
	acknowledged []int64 // by key
	failed       int64   // requests whose effect nobody knows
	broken       bool    // its rounds are over
	unknown      bool    // a generator ended without its count
}

// groups puts loads together whose rounds alternate.
func groups(loads []result.Load) (all [][]result.Load) {
	for i, l := range loads {
		before := loads[max(0, i-1)]
		before.Beside = l.Beside
		if i > 0 && before == l {
			all[len(all)-1] = append(all[len(all)-1], l)
		} else {
			all = append(all, []result.Load{l})
		}
	}
	return all
}

// measureLoads runs all rounds of loads that alternate. first says that they are the
// run's first ones; memory is read after the very first.
func (r *runner) measureLoads(ctx context.Context, loads []result.Load, first bool) {
	r.progress.printf("%s: starting the targets", loads[0].Name())
	var seats []*seat
	defer func() {
		for _, s := range seats {
			if err := s.server.end(); err != nil {
				r.fail(s.side.described.Name, "stopping", err)
			}
		}
	}()
	for _, s := range r.sides {
		for _, l := range loads {
			if ctx.Err() != nil {
				return
			}
			if one := r.sit(ctx, s, l); one != nil {
				seats = append(seats, one)
			} else {
				r.progress.drop(r.config.Rounds)
			}
		}
	}
	for round := range r.config.Rounds {
		order := slices.Clone(seats)
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, s := range order {
			if ctx.Err() == nil && !s.broken {
				r.round(ctx, s, round)
			}
		}
	}
	for _, l := range loads {
		for _, s := range seats {
			if s.cell.Load == l {
				r.finish(ctx, s, first && l == loads[0])
			}
		}
	}
}

// sit starts a server for a load; nil where it cannot be had.
func (r *runner) sit(ctx context.Context, s *side, l result.Load) *seat {
	one, err := r.start(ctx, s)
	if err != nil {
		if ctx.Err() == nil {
			r.fail(s.described.Name, "starting for "+l.Name(), err)
		}
		return nil
	}
	requests, reason := requests(one, l)
	if reason != "" {
		r.progress.printf("%s: left out of %s: %s", s.described.Name, l.Name(), reason)
		if err := one.end(); err != nil {
			r.fail(s.described.Name, "stopping", err)
		}
		return nil
	}
	return &seat{
		side: s, server: one, requests: requests,
		cell:         result.Cell{Target: s.described.Name, Load: l},
		acknowledged: make([]int64, l.Keys),
	}
}

// requests are those that a load needs of a server, or why they cannot be had.
func requests(s *server, l result.Load) (needed map[string]load.Request, reason string) {
	if l.Network == "unix" && s.Unix() == "" || l.Network == "tcp" && s.Address() == "" {
		return nil, "it has no " + l.Network + " socket"
	}
	needed = map[string]load.Request{}
	for _, name := range load.Needs(l.Workload) {
		method, path, ok := s.Request(name)
		if !ok {
			return nil, "it has no " + name
		}
		needed[name] = load.Request{Method: method, Path: path}
	}
	return needed, ""
}

// round loads one target once.
func (r *runner) round(ctx context.Context, s *seat, n int) {
	name, l := s.side.described.Name, s.cell.Load
	address := s.server.Address()
	if l.Network == "unix" {
		address = s.server.Unix()
	}
	outcome, err := r.generate(ctx, s.server, load.Settings{
		Load: l, Address: address, Requests: s.requests,
		Prepare: n == 0, Threads: r.config.Threads, Seed: uint64(n),
	})
	if err != nil {
		r.progress.drop(r.config.Rounds - n)
		s.broken, s.unknown = true, true
		if ctx.Err() == nil {
			r.fail(name, l.Name(), err)
		}
		return
	}
	for key, count := range outcome.Acknowledged {
		s.acknowledged[key] += count
	}
	s.failed += outcome.Failed
	switch {
	case outcome.Stopped:
		return
	case outcome.Round.Requests == 0:
		r.progress.drop(r.config.Rounds - n)
		s.cell.Rounds = append(s.cell.Rounds, outcome.Round)
		s.broken = true
		err := fmt.Errorf("no request was answered; the first of %d errors: %s", outcome.Failed, outcome.FirstError)
		if outcome.Failed == 0 {
			err = fmt.Errorf("%w, which lasted %v", errTooShort, l.Round)
		}
		r.fail(name, l.Name(), err)
		return
	}
	s.cell.Rounds = append(s.cell.Rounds, outcome.Round)
	r.progress.round(s.cell, n, outcome.FirstError)
	if outcome.HungUp > 0 {
		r.fail(name, l.Name(), fmt.Errorf("it has closed %d of the idle connections", outcome.HungUp))
	}
}

// finish reads memory and counters after the last round.
func (r *runner) finish(ctx context.Context, s *seat, first bool) {
	name, l := s.side.described.Name, s.cell.Load
	if first && !s.broken && ctx.Err() == nil {
		pause(ctx, r.config.Settle)
		weight, err := weigh(s.server)
		if err != nil {
			r.fail(name, "memory after "+l.Name(), err)
		}
		s.side.described.MemoryAfterLoad = weight.PSS
	}
	switch {
	case !load.Counts(l.Workload):
	case s.unknown:
		r.progress.printf("%s: not compared: a load generator ended without its count", name)
	default:
		if err := r.compare(s); err != nil {
			r.fail(name, l.Name(), err)
		}
	}
	if len(s.cell.Rounds) > 0 {
		r.report.Cells = append(r.report.Cells, s.cell)
	}
}

// compare reads back the counters, also of an interrupted run: what was
// acknowledged in the round that was cut is known, too.
func (r *runner) compare(s *seat) error {
	keys, err := count(s.server, s.acknowledged)
	if errors.Is(err, errors.ErrUnsupported) {
		r.progress.printf("%s: counts nothing", s.side.described.Name)
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading back the counters: %w", err)
	}
	s.cell.Acknowledged, s.cell.Counted = keys.acknowledged, keys.counted
	lost := s.cell.Lost()
	r.progress.printf("%s: acknowledged %d, counted %d, lost %d, %d of %d keys differ, %d requests failed",
		s.side.described.Name, keys.acknowledged, keys.counted, lost, keys.differ, len(s.acknowledged), s.failed)
	// A failed request may have been counted: nobody was told.
	if s.side.described.Exact && (lost > 0 || -lost > s.failed || keys.differ > 0 && s.failed == 0) {
		return fmt.Errorf("lost increments: %d acknowledged, %d counted, %d keys differ, though it promises to be exact",
			keys.acknowledged, keys.counted, keys.differ)
	}
	return nil
}
