package worker

import (
	"time"

	"github.com/fondue-server/fondue/internal/command"
)

const (
	expireInterval = 100 * time.Millisecond
	// expireLimit keeps reclaiming to a hundredth of a CPU for each worker.
	expireLimit = time.Millisecond
)

// expire reclaims the room of keys whose time to live is over, until stop is
// closed. Every worker does: they share one region and not the work, so that it
// goes on whichever of them lives.
func expire(commands *command.Commands, stop <-chan struct{}) {
	tick := time.NewTicker(expireInterval)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			commands.Sweep(expireLimit)
		}
	}
}
