package command

import "time"

// turns is how many keys of one process can be patched at once. Those that
// share a turn wait for each other, first come, first served.
const turns = 64

// turn is a lock that can be waited for with patience. Who holds it has put
// something into the channel.
type turn chan struct{}

func (t turn) take(patience time.Duration) bool {
	select {
	case t <- struct{}{}:
		return true
	default:
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case t <- struct{}{}:
		return true
	case <-timer.C:
		return false
	}
}

func (t turn) give() { <-t }
