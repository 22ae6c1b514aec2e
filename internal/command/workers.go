package command

import "github.com/fondue-server/fondue/internal/shm"

// Workers is the scoreboard: every slot that a worker holds, of every master
// that shares the region.
func (c *Commands) Workers() []shm.SlotInfo {
	slots := c.region.Slots()
	workers := slots[:0]
	for _, s := range slots {
		if s.State != 0 && !s.Master {
			workers = append(workers, s)
		}
	}
	return workers
}
