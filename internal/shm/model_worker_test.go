package shm

// operate goes on to the worker's next operation.
func (m *lockModel) operate(p *modelProcess) {
	*p = modelProcess{pc: atIdleWorker, slot: p.slot, gen: p.gen, orphan: p.orphan, parent: p.parent, ops: p.ops}
	if int(p.ops) < len(m.programs[p.slot]) {
		p.pc = atSpin
		if m.adds(p) {
			p.pc = atAddSeq
		}
	}
}

func (m *lockModel) adds(p *modelProcess) bool { return m.programs[p.slot][p.ops] == 'A' }

// wakeAny appends the states after futexWake of one sleeper, whichever it is: the
// kernel's order is not relied upon.
func (s *modelState) wakeAny(then func(*modelState), out []modelMove, mv modelMove) []modelMove {
	any := false
	for i := range s.procs {
		if s.procs[i].pc == atAsleep {
			mv.next, any = *s, true
			mv.next.procs[i].pc = atSlow
			then(&mv.next)
			out = append(out, mv)
		}
	}
	if !any {
		mv.next = *s
		then(&mv.next)
		out = append(out, mv)
	}
	return out
}

func (s *modelState) wakeEverybody() {
	for i := range s.procs {
		if s.procs[i].pc == atAsleep {
			s.procs[i].pc = atSlow
		}
	}
}

func (m *lockModel) workerStep(s *modelState, who uint8, out []modelMove) []modelMove {
	n := *s
	p := &n.procs[who]
	mv := modelMove{who: who, what: modelSteps[p.pc]}
	me := p.name()
	done := func(n *modelState) {
		n.procs[who].ops++
		m.operate(&n.procs[who])
	}
	toLock := func() { p.pc, p.seq, p.word = atSpin, 0, 0 }
	switch p.pc {
	case atAttachHold:
		if n.bytes[p.slot] != 0 {
			n.end(who) // ErrSlotLost
			break
		}
		n.bytes[p.slot] = who + 1
		p.pc = atAttachSwap
	case atAttachSwap:
		if (n.control[p.slot] != modelControl{p.gen, phaseClaimed}) && !m.trustAttach {
			n.end(who) // ErrSlotLost
			break
		}
		n.control[p.slot] = modelControl{p.gen, phaseLive}
		m.operate(p)
	case atAddSeq:
		if p.seq, p.pc = n.seq, atAddLink; n.seq&1 == 1 {
			toLock()
		}
	case atAddLink:
		if p.pc = atAddCheck; n.link == 1 {
			p.pc = atAddWord
		}
	case atAddWord:
		p.word, p.pc = n.word, atAddCheck
	case atAddCheck:
		if p.pc = atAddSwap; n.seq != p.seq || p.word&modelLive == 0 {
			toLock()
		}
		p.seq = 0
	case atAddSwap:
		if n.word != p.word {
			p.pc = atAddReload
			break
		}
		n.word++
		n.sum++
		done(&n)
	case atAddReload:
		if n.word>>4 != p.word>>4 {
			toLock()
			break
		}
		p.word, p.pc = n.word, atAddSwap
	case atSpin:
		if p.pc = atSlow; n.lock == 0 {
			n.lock, p.pc = me, atLocked
		}
	case atSlow:
		if p.pc = atLook; n.lock == 0 {
			if n.lock, p.pc = me|waiters, atLocked; m.forgetWaiters {
				n.lock = me
			}
		}
	case atLook:
		p.held = n.lock
		switch {
		case p.held == 0:
			p.pc = atSlow
		case p.held&waiters == 0:
			p.pc = atMark
		default:
			p.pc = atWait
		}
	case atMark:
		if p.pc = atSlow; n.lock == p.held {
			n.lock |= waiters
			p.held |= waiters
			p.pc = atWait
		}
	case atWait:
		if p.pc = atSlow; n.lock == p.held || m.blindWait {
			p.pc = atAsleep
		}
		p.held = 0
	case atUnlock:
		held := n.lock
		if m.looseRelease {
			if p.i == 0 {
				p.held, p.i = n.lock, 1
				break
			}
			held, p.held, p.i = p.held, 0, 0
		}
		if n.lock = 0; held&waiters != 0 {
			p.pc = atUnlockWake
			break
		}
		done(&n)
	case atUnlockWake:
		return s.wakeAny(done, out, mv)
	default:
		m.changeLocked(&n, who)
	}
	mv.next = n
	return append(out, mv)
}

// changeLocked is a step of whoever holds the lock, but for giving it back.
func (m *lockModel) changeLocked(n *modelState, who uint8) {
	p := &n.procs[who]
	recovers := who < modelMasters
	finished := atUnlock
	if recovers {
		finished = atSurrenderSwap
	}
	switch p.pc {
	case atLocked: // findLocked
		p.held, p.word = 0, 0
		switch adds := m.adds(p); {
		case adds && n.link == 1:
			p.pc = atBumpLoad
		case adds && m.fillFirst:
			p.pc = atFill
		case adds:
			p.pc = atPairOff
		case n.link == 1:
			p.pc = atKillLoad
		default:
			p.pc = atUnlock
		}
	case atBumpLoad:
		p.word, p.pc = n.word, atBumpSwap
	case atBumpSwap:
		if p.pc = atBumpLoad; n.word == p.word {
			n.word++
			n.sum++
			p.pc = atUnlock
		}
		p.word = 0
	case atKillLoad:
		p.word, p.pc = n.word, atPairOff
	case atFill:
		n.word, p.pc = modelReborn(n.word), atPairOff
	case atPairOff:
		n.pairs[p.i].off, p.pc = m.pair(n, p).off, atPairVal
	case atPairVal:
		n.pairs[p.i].val, p.pc = m.pair(n, p).val, atPairOff
		if p.i++; p.i == m.pairsOf(p) {
			p.n, p.i, p.word, p.pc = p.i, 0, 0, atCommit
		}
	case atCommit:
		if p.pc = atOdd; m.noIntent {
			break
		}
		n.record = n.checksum(p.n)
		n.committed(m.adds(p))
	case atOdd:
		n.seq |= 1
		p.pc = atApply
	case atApply:
		switch at := n.pairs[p.i]; at.off {
		case pairLink:
			if n.link = at.val; m.noIntent {
				n.committed(at.val == 1)
			}
		case pairCount:
			n.count = at.val
		case pairBirth:
			n.word = modelLive | at.val<<4 | 1
		case pairKill:
			if n.word&modelLive != 0 && modelGen(n.word) == at.val {
				p.word, p.pc = n.word, atKillSwap
				return
			}
		}
		if p.i++; p.i == p.n {
			p.i, p.n = 0, 0
			if p.pc = atClear0; m.seqFirst || m.stateKept && recovers {
				p.pc = atEven
			}
		}
	case atKillSwap:
		if n.word == p.word {
			n.word = (modelGen(n.word) + 1) & 7 << 4
			n.sum = 0
		}
		p.word, p.pc = 0, atApply
	case atClear0:
		if n.record, p.pc = 0, atEven; m.seqFirst {
			p.pc = finished
		}
	case atEven:
		n.seq++
		if p.pc = finished; m.seqFirst {
			p.pc = atClear0
		}
	}
}

func modelReborn(w uint8) uint8 {
	gen := modelGen(w)
	if w&modelLive != 0 {
		gen++
	}
	return modelLive | gen&7<<4 | 1
}

// pairsOf and pair are the worker's change: birth or kill, link, count.
func (m *lockModel) pairsOf(p *modelProcess) uint8 {
	if m.fillFirst && m.adds(p) {
		return 2
	}
	return 3
}

func (m *lockModel) pair(s *modelState, p *modelProcess) modelPair {
	present := uint8(0)
	if m.adds(p) {
		present = 1
	}
	switch i := p.i + 3 - m.pairsOf(p); {
	case i == 1:
		return modelPair{pairLink, present}
	case i == 2:
		return modelPair{pairCount, present}
	case present == 1:
		return modelPair{pairBirth, modelGen(modelReborn(s.word))}
	default:
		return modelPair{pairKill, modelGen(p.word)}
	}
}

func (s *modelState) checksum(n uint8) uint32 {
	sum := uint32(n) << 24
	for i := range n {
		sum |= uint32(s.pairs[i].off<<4|s.pairs[i].val) << (8 * i)
	}
	return sum
}

// committed: from here on the change has happened.
func (s *modelState) committed(added bool) {
	if s.want = 0; added {
		s.want, s.sum = 1, 1
	}
}
