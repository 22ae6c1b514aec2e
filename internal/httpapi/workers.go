package httpapi

import (
	"encoding/json"
	"time"
)

// worker is one row of the scoreboard as clients see it.
type worker struct {
	Slot         int       `json:"slot"`
	PID          int       `json:"pid"`
	Generation   uint32    `json:"generation"`
	State        string    `json:"state"`
	Requests     uint64    `json:"requests"` // of the slot, over its restarts
	Errors       uint64    `json:"errors"`   // those of them answered with 500 or above
	Connections  int64     `json:"connections"`
	HeartbeatAge int64     `json:"heartbeat_age_ms"`
	Restarts     uint64    `json:"restarts"`
	Memory       uint64    `json:"memory_bytes"` // resident, the touched part of the region included
	StartedAt    time.Time `json:"started_at"`
}

// workers answers /v1/workers.
func (a *API) workers(r *request) error {
	if err := r.parseQuery(0); err != nil {
		return err
	}
	list := struct {
		Workers []worker `json:"workers"`
	}{Workers: []worker{}}
	for _, s := range a.commands.Workers() {
		list.Workers = append(list.Workers, worker{
			Slot: s.Slot, PID: s.PID, Generation: s.Generation, State: s.State.String(),
			Requests: s.Requests, Errors: s.Errors, Connections: s.Connections,
			HeartbeatAge: s.HeartbeatAge.Milliseconds(), Restarts: s.Restarts, Memory: s.Memory,
			StartedAt: s.StartedAt.UTC(),
		})
	}
	b, err := json.Marshal(list)
	if err != nil {
		return err
	}
	return r.reply(append(r.body, b...))
}
