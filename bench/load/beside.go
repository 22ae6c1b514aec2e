package load

import "github.com/fondue-server/fondue/bench/idle"

// besides are the connections that are open while others are busy, and do nothing.
// Each has sent the first of the workload's requests once, for the first key. It
// returns those that there are when the run is told to stop.
func (r *run) besides() (*idle.Connections, error) {
	l := r.settings.Load
	var asked kind
	for k, name := range kindNames {
		if name == Needs(l.Workload)[0] {
			asked = kind(k)
		}
	}
	all, err := idle.Open(r.stop, l.Network, r.settings.Address, r.calls[asked].write(nil, 0), l.Beside)
	if err == nil && asked == increment {
		r.acknowledged[0].Add(int64(all.Len()))
	}
	return all, err
}
