package shm

// operate goes on to the worker's next operation.
func (m *lockModel) operate(p *modelProcess) {
	*p = modelProcess{pc: atIdleWorker, slot: p.slot, gen: p.gen, orphan: p.orphan, parent: p.parent, ops: p.ops}
	if int(p.ops) < len(m.programs[p.slot]) {
		p.pc = atSpin
		if op := m.op(p); op == 'A' || op == 'G' {
			p.pc = atFindSeq
		}
	}
}

func (m *lockModel) op(p *modelProcess) byte { return m.programs[p.slot][p.ops] }

// forget leaves a process with what it is, and at a step.
func (p *modelProcess) forget(pc modelPC) {
	*p = modelProcess{pc: pc, slot: p.slot, gen: p.gen, orphan: p.orphan, parent: p.parent, ops: p.ops}
}

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
	case atFindSeq, atFindLink, atFindKey, atFindWord, atFindVersion, atFindCheck,
		atAddSwap, atAddReload, atCopy, atCopyCheck:
		if m.lookup(&n, p) {
			done(&n)
		}
	default:
		m.changeLocked(&n, p)
	}
	mv.next = n
	return append(out, mv)
}

// lookup is a step without the lock: of an add, or of a read of bytes. It
// reports the end of the operation.
func (m *lockModel) lookup(n *modelState, p *modelProcess) (done bool) {
	var line *modelLine
	if p.line > 0 {
		line = &n.lines[p.line-1]
	}
	adds := m.op(p) == 'A'
	switch p.pc {
	case atFindSeq:
		p.seq, p.pc = n.seq, atFindLink
	case atFindLink:
		if p.line, p.pc = n.bucket[modelKey], atFindKey; p.line == 0 {
			p.pc = atFindCheck
		}
	case atFindKey:
		if p.pc = atFindWord; line.key != modelKey+1 {
			p.line, p.i, p.pc = 0, 1, atFindCheck // at the end of another's chain
		}
	case atFindWord:
		switch p.word = line.word; {
		case p.word&modelKind == modelDead:
			p.forget(atSpin)
		case adds:
			p.pc = atFindCheck
		default:
			p.pc = atFindVersion
		}
	case atFindVersion:
		p.version, p.pc = line.version, atFindCheck
	case atFindCheck:
		switch kind := p.word & modelKind; {
		case n.seq != p.seq:
			p.forget(atSpin)
		case p.n > 0: // looked up anew, with what was copied in its unit
			if p.line == 0 || p.version != p.n {
				p.forget(atSpin)
				break
			}
			return m.believes(n, p)
		case p.line == 0 && !adds:
			if p.i == 1 && n.there[modelKey] {
				n.bad = badAbsence
			}
			return true
		case p.line == 0 || adds && kind == modelWide:
			p.forget(atSpin)
		case adds && kind == modelNarrow:
			p.seq, p.pc = 0, atAddSwap
		case adds || kind != modelBytes:
			return true
		default:
			p.pc = atCopy
		}
	case atAddSwap:
		if line.word != p.word {
			p.pc = atAddReload
			break
		}
		if line.word++; n.bucket[modelKey] != p.line {
			n.bad = badAdd
		}
		n.value[modelKey]++
		return true
	case atAddReload:
		if line.word>>3 != p.word>>3 {
			p.forget(atSpin)
			break
		}
		p.word, p.pc = line.word, atAddSwap
	case atCopy:
		p.unit, p.pc = n.units[p.word&7], atCopyCheck
	case atCopyCheck:
		if n.seq == p.seq {
			return m.believes(n, p)
		}
		p.n, p.pc = p.version, atFindSeq
		p.seq, p.line, p.word, p.version, p.i = 0, 0, 0, 0, 0
	}
	return false
}

// believes ends a read with the value that was copied.
func (m *lockModel) believes(n *modelState, p *modelProcess) bool {
	if p.unit != p.version {
		n.bad = badCopy
	}
	return true
}
