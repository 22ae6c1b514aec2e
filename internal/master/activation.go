package master

import (
	"slices"
	"strings"

	"github.com/fondue-server/fondue/internal/listen"
)

// takePassed takes the sockets that were passed to this process. Each is an
// address that it is to serve, in the place of one that it would open.
func (m *Master) takePassed() error {
	m.undo = append(m.undo, m.closeListeners)
	if m.lender != nil {
		return m.inheritKept()
	}
	for _, fd := range m.cfg.Activated {
		l, err := listen.Adopt(fd)
		if err != nil {
			return valueErrorf("socket activation: descriptor %d: %v; pass TCP or Unix stream sockets that listen (ListenStream= and Accept=no)", fd, err)
		}
		m.listeners = append(m.listeners, l)
		if !m.wants(l) {
			return valueErrorf("socket activation: descriptor %d is bound to %s, and not asked for by %s; make them the same, or leave --listen out",
				fd, l, asFlags(m.cfg.Listen))
		}
		m.cfg.Log.Info("a socket that was passed in is served by all workers", "listen", l.String(), "descriptor", fd)
	}
	return nil
}

// wants reports whether a socket that was passed in is to be served: without
// addresses to listen on, each is.
func (m *Master) wants(l *listen.Listener) bool {
	return len(m.cfg.Listen) == 0 || slices.ContainsFunc(m.cfg.Listen, l.Serves)
}

// inheritKept takes over from the lender what was passed to it, or to one before.
func (m *Master) inheritKept() error {
	for i, h := range m.lender.Listeners {
		if !h.Kept {
			continue
		}
		l, err := listen.Inherit(h)
		if err != nil {
			return err
		}
		if !m.wants(l) {
			continue
		}
		m.lender.taken[i] = true
		m.listeners = append(m.listeners, l)
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
