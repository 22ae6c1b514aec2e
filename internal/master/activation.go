package master

import (
	"slices"
	"strings"

	"github.com/fondue-server/fondue/internal/listen"
)

// adoptSockets takes the sockets that were passed to this process. Each is an
// address that it is to serve, in the place of one that it would open.
func (m *Master) adoptSockets() error {
	m.undo = append(m.undo, m.closeListeners)
	for _, fd := range m.cfg.Activated {
		l, err := listen.Adopt(fd)
		if err != nil {
			return valueErrorf("socket activation: descriptor %d: %v; pass TCP or Unix stream sockets that listen (ListenStream= and Accept=no)", fd, err)
		}
		m.listeners = append(m.listeners, l)
		if len(m.cfg.Listen) > 0 && !slices.ContainsFunc(m.cfg.Listen, l.Serves) {
			return valueErrorf("socket activation: descriptor %d is bound to %s, and not asked for by %s; make them the same, or leave --listen out",
				fd, l, asFlags(m.cfg.Listen))
		}
		m.cfg.Log.Info("a socket that was passed in is served by all workers", "listen", l.String(), "descriptor", fd)
	}
	return nil
}

// unopened is the addresses that no socket was passed in for.
func (m *Master) unopened() []listen.Spec {
	return slices.DeleteFunc(slices.Clone(m.cfg.Listen), func(spec listen.Spec) bool {
		return slices.ContainsFunc(m.listeners, func(l *listen.Listener) bool { return l.Kept() && l.Serves(spec) })
	})
}

func asFlags(specs []listen.Spec) string {
	var flags []string
	for _, s := range specs {
		flags = append(flags, "--listen "+s.String())
	}
	return strings.Join(flags, " ")
}
