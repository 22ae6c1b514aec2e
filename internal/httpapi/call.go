package httpapi

import (
	"github.com/fondue-server/fondue/internal/command"
	"github.com/fondue-server/fondue/internal/shm"
)

// call is a request of one of the routes that every front has, and its answer: what
// is decoded and answered in one way, whoever has read the request. Its slices point
// into the request or into scratch.
type call struct {
	commands *command.Commands
	method   method
	query    []byte // undecoded
	params
	cond command.Condition
	answer
	scratch [shm.MaxKey]byte // holds key, or prefix, when it had to be decoded
	text    [64]byte         // of a parameter
}

// begin makes ready for another request; the answer's body keeps its memory.
func (c *call) begin(m method, body []byte) {
	c.method = m
	c.params = params{by: 1}
	c.answer = answer{status: statusOK, body: body[:0]}
}

// run answers a request of a route that every front has: one that onLane has.
func (c *call) run(which route) error {
	switch which {
	case routeIncrement:
		return c.increment()
	case routeReport:
		return c.report()
	case routeReset:
		return c.reset()
	case routeCount:
		return c.count()
	case routeKey:
		return c.getKey()
	case routeKeyIncrement:
		return c.keyIncrement()
	case routeHealth:
		return c.health()
	case routeReady:
		return c.ready()
	}
	panic("httpapi: a route of the lane without an answer: " + paths[which])
}
