package run

import (
	"context"
	"time"

	"github.com/fondue-server/fondue/bench/proc"
)

// measureStart starts each target some times, alone on the machine, and reads
// the memory of the last start at rest. One that fails is left out of the run.
func (r *runner) measureStart(ctx context.Context) {
	for n := range r.config.Starts {
		var good []*side
		for _, s := range r.sides {
			if ctx.Err() != nil {
				return
			}
			if err := r.startOnce(ctx, s, n == r.config.Starts-1); err != nil {
				if ctx.Err() != nil {
					return
				}
				r.fail(s.described.Name, "start-up", err)
				r.skip(s.described.Name, err.Error())
				continue
			}
			good = append(good, s)
		}
		r.sides = good
	}
}

func (r *runner) startOnce(ctx context.Context, s *side, last bool) (err error) {
	one, err := r.start(ctx, s)
	if err != nil {
		return err
	}
	defer func() {
		if ended := one.end(); err == nil {
			err = ended
		}
	}()
	s.described.Start = append(s.described.Start, one.Took().Nanoseconds())
	r.progress.printf("%s: first answer after %v", s.described.Name, one.Took().Round(10*time.Microsecond))
	if !last {
		return nil
	}
	pause(ctx, r.config.Settle)
	rest, err := weigh(one)
	if err != nil {
		return err
	}
	s.described.MemoryAtRest, s.described.AnonymousAtRest = rest.PSS, rest.Anonymous
	r.progress.printf("%s: %.1f MB at rest", s.described.Name, float64(s.described.MemoryAtRest)/1e6)
	if r.config.Idle == 0 || one.Address() == "" {
		return nil
	}
	weight, err := r.weighIdle(ctx, one, r.config.Idle)
	if err != nil && ctx.Err() == nil { // it can be measured in every other way
		r.progress.printf("%s: %d idle connections were not weighed: %v", s.described.Name, r.config.Idle, err)
	}
	if err == nil {
		s.described.IdleConnections, s.described.MemoryIdle, s.described.AnonymousIdle = r.config.Idle, weight.PSS, weight.Anonymous
		r.progress.printf("%s: %.1f KiB an idle connection, its heap %.1f at most", s.described.Name, s.described.IdleMemory()/1024, s.described.IdleAnonymous()/1024)
	}
	return nil
}

// weigh is the memory of a server's processes.
func weigh(s *server) (proc.Memory, error) {
	pids, err := s.PIDs()
	if err != nil {
		return proc.Memory{}, err
	}
	return proc.ReadMemory(pids)
}
