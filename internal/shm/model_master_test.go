package shm

func (m *lockModel) masterStep(s *modelState, who uint8, out []modelMove) []modelMove {
	n := *s
	p := &n.procs[who]
	mv := modelMove{who: who, what: modelSteps[p.pc]}
	workers := uint8(len(m.programs))
	slots := workers + uint8(m.masters)
	switch p.pc {
	case atIdleMaster:
		return m.masterChoices(s, who, out)
	case atSeizeLoad:
		if p.pc = atWakeEach; n.lock&^waiters == p.target {
			p.held, p.pc = n.lock, atSeizeSwap
		}
	case atSeizeSwap:
		if p.pc = atSeizeLoad; n.lock == p.held {
			if n.lock, p.pc = p.name()|waiters, atRebuild; m.noRebuild {
				p.pc = atSurrenderSwap
			}
		}
		p.held = 0
	case atSurrenderSwap:
		n.lock, p.pc = 0, atSurrenderWake
	case atSurrenderWake, atWakeEach:
		after := func(n *modelState) {
			switch p := &n.procs[who]; {
			case p.pc == atSurrenderWake:
				p.pc = atWakeEach
			case p.then == atEnrollSelf:
				p.pc = atEnrollSelf
			default:
				p.pc = atFreeSlot
			}
		}
		if m.wakeOne {
			return s.wakeAny(after, out, mv)
		}
		if p.pc == atSurrenderWake || !m.noWakeAll {
			n.wakeEverybody()
		}
		after(&n)
	case atFreeSlot:
		slot := modelSlotOf(p.target)
		if c := &n.control[slot]; c.gen == p.target>>4 && c.phase != phaseFree && !m.respawnFirst {
			*c = modelControl{c.gen + 1, phaseFree}
		}
		p.pc, p.target, p.then = p.then, 0, atGone
	case atClaimDoor:
		if n.door != 0 {
			return out
		}
		n.door, p.pc = who+1, atClaimOwner
	case atClaimOwner:
		p.pc = atClaimLeave // ErrNoSlot
		for i := range workers {
			if n.control[i].phase == phaseFree {
				n.owner[i] = p.name()
				p.at, p.pc = i, atClaimSwap
				break
			}
		}
	case atClaimSwap:
		n.control[p.at].phase = phaseClaimed
		p.n, p.pc = 1, atClaimLeave
	case atClaimLeave:
		if n.door, p.pc = 0, atIdleMaster; p.n == 1 {
			p.pc = atLaunch
		}
	case atLaunch:
		at := modelControl{n.control[p.at].gen, phaseClaimed}
		if child := n.vacant(); child != nil {
			*child = modelProcess{pc: atAttachHold, slot: p.at, gen: at.gen, parent: who}
			p.pc = atIdleMaster
		} else {
			p.target, p.then, p.pc = modelName(p.at, at.gen), atIdleMaster, atSeizeLoad
		}
		p.at, p.n = 0, 0
	case atTakeSlot:
		n.bytes[p.slot] = who + 1
		p.gen = n.control[p.slot].gen
		p.target, p.then, p.pc = p.name(), atEnrollSelf, atSeizeLoad
		if m.bumpFirst {
			p.gen++
			n.control[p.slot].gen++
			p.then = atSweepLook
		}
	case atEnrollSelf:
		p.gen++
		n.control[p.slot].gen++
		p.target, p.then, p.pc = 0, atGone, atSweepLook
	case atSweepDoor:
		if n.door != 0 {
			return out
		}
		n.door, p.pc = who+1, atSweepLook
	case atSweepLook:
		for p.at < slots && (p.at == p.slot || n.control[p.at].phase == phaseFree) {
			p.at++
		}
		if p.at == slots {
			p.at, p.pc = 0, atSweepLeave
			break
		}
		p.target, p.pc = modelName(p.at, n.control[p.at].gen), atSweepAlive
	case atSweepAlive:
		if p.pc = atSweepHold; p.at < workers && n.masterAlive(n.owner[p.at]) {
			p.target, p.pc = 0, atSweepLook
			p.at++
		}
	case atSweepHold:
		if n.bytes[p.at] != 0 && !m.ignoreByteLock {
			p.target, p.pc = 0, atSweepLook
			p.at++
			break
		}
		n.bytes[p.at] = who + 1
		p.then, p.pc = atSweepDrop, atSeizeLoad
	case atSweepDrop:
		n.bytes[p.at] = 0
		p.pc = atSweepLook
		p.at++
	case atSweepLeave:
		n.door, p.pc = 0, atIdleMaster
	default:
		m.rebuildLocked(&n, p)
	}
	mv.next = n
	return append(out, mv)
}

// masterChoices: what the select of crew.run may come to. A sweep that would
// find nothing to do is left out; it changes nothing. A seat is not filled
// while a stranger holds a free slot's byte lock (an orphan inside Attach, which
// is about to fail): the back-off of the crew outlasts it.
func (m *lockModel) masterChoices(s *modelState, who uint8, out []modelMove) []modelMove {
	workers := uint8(len(m.programs))
	add := func(what string, to modelPC) *modelState {
		out = append(out, modelMove{*s, who, what, false})
		n := &out[len(out)-1].next
		n.procs[who].pc = to
		return n
	}
	for i := modelMasters; i < modelProcs; i++ {
		child := &s.procs[i]
		stolen := m.steal && child.alive() && child.pc >= atLocked
		if child.pc == atGone || child.orphan || child.parent != who || child.pc != atZombie && !stolen {
			continue
		}
		n := add("reap", atSeizeLoad)
		p := &n.procs[who]
		p.target, p.then = child.name(), atIdleMaster
		switch {
		case stolen:
			out[len(out)-1].what = "Recover without reaping"
		case m.respawnFirst:
			n.control[child.slot].phase = phaseClaimed
			n.procs[i] = modelProcess{pc: atAttachHold, slot: child.slot, gen: child.gen, parent: who}
		default:
			n.procs[i] = modelProcess{}
		}
		if m.freeFirst {
			n.control[child.slot] = modelControl{child.gen + 1, phaseFree}
		}
	}
	free, dead, taken := false, false, false
	for i := range workers + uint8(m.masters) {
		switch {
		case s.control[i].phase == phaseFree:
			free = free || i < workers
			taken = taken || s.bytes[i] != 0
		case i >= workers || !s.masterAlive(s.owner[i]):
			dead = dead || s.bytes[i] == 0
		}
	}
	if free && !taken && s.vacant() != nil {
		add("has a vacant seat", atClaimDoor)
	}
	if dead {
		add("sweeps", atSweepDoor)
	}
	return out
}

// vacant is room for one more worker process.
func (s *modelState) vacant() *modelProcess {
	for i := modelMasters; i < modelProcs; i++ {
		if s.procs[i].pc == atGone {
			return &s.procs[i]
		}
	}
	return nil
}

// masterAlive: it has its byte lock, and its slot its generation.
func (s *modelState) masterAlive(name uint8) bool {
	slot := modelSlotOf(name)
	c := s.control[slot]
	return c.gen == name>>4 && c.phase == phaseLive && s.bytes[slot] != 0
}
