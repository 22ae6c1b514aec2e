package shm

// changeLocked is a step of a worker that holds the lock, but for giving it
// back.
func (m *lockModel) changeLocked(n *modelState, p *modelProcess) {
	key := modelKey
	if m.op(p) == 'O' {
		key = modelOther
	}
	puts := m.op(p) == 'P' || m.op(p) == 'O' // bytes
	removes := m.op(p) == 'D'
	var old, draft *modelLine
	if p.line > 0 {
		old = &n.lines[p.line-1]
	}
	if p.fresh > 0 {
		draft = &n.lines[p.fresh-1]
	}
	oldBytes := old != nil && p.word&modelKind == modelBytes
	switch p.pc {
	case atLocked: // findLocked
		p.forget(atLocked)
		if p.line = n.bucket[key]; p.line > 0 {
			p.word = n.lines[p.line-1].word
		}
		p.pc = m.begin(n, p)
	case atBumpSwap:
		if p.word&modelKind == modelNarrow && old.word != p.word {
			p.pc = atLocked
			break
		}
		old.word = modelNarrow | (p.word+1)&^modelKind
		n.value[key]++
		p.pc = atUnlock
	case atNumber:
		p.pc = atTakeLine
		if p.version = n.versions + 1; !m.numberLate {
			n.versions++
		}
	case atTakeLine:
		if p.fresh, p.pc = n.take(0, modelLines), atTakeUnit; !puts {
			p.pc = m.drafted()
		}
	case atTakeUnit:
		p.unit, p.pc = n.take(modelLines, modelUnits), atFillData
	case atFillData:
		n.units[p.unit-1], p.pc = p.version, m.drafted()
	case atFillVersion:
		draft.version, p.pc = p.version, atFillWord
	case atFillWord:
		if draft.word = modelBytes | (p.unit - 1); !puts {
			value := uint8(1)
			if old != nil {
				value = p.word&7 + 1
			}
			draft.word = modelNarrow | p.version<<3 | value
		}
		p.pc = atFillKey
	case atFillKey:
		draft.key = uint8(key) + 1
		switch p.pc = atLink; {
		case m.linkFirst:
			p.pc = m.linked(p, old)
		case old != nil && p.word&modelKind == modelNarrow && !m.noFreeze:
			p.pc = atFreeze
		case old != nil && m.killFirst:
			p.pc = atKill
		}
	case atFreeze:
		if old.word != p.word { // dropLocked
			*draft = modelLine{}
			n.bitmap &^= 1 << (p.fresh - 1)
			if p.unit > 0 {
				n.bitmap &^= 1 << (modelLines + p.unit - 1)
			}
			p.pc = atLocked
			break
		}
		old.word = old.word&^modelKind | modelWide
		if p.pc = atLink; m.killFirst {
			p.pc = atKill
		}
	case atLink:
		n.bucket[key] = p.fresh
		n.there[key] = true
		switch {
		case puts:
			n.value[key] = p.version
		case old != nil:
			n.value[key]++
		default:
			n.value[key] = 1
		}
		if p.pc = m.linked(p, old); m.linkFirst {
			p.pc = atFillVersion
		}
	case atNumberLate:
		n.versions = p.version
		p.pc = m.unlinks(old)
	case atKill:
		if removes && p.word&modelKind == modelNarrow && old.word != p.word {
			p.pc = atLocked
			break
		}
		if old.word = modelDead; removes {
			n.there[key] = false
		}
		switch p.pc = atMoveSeq; {
		case removes:
			p.pc = atUnlink
		case m.killFirst:
			p.pc = atLink
		}
	case atUnlink:
		n.bucket[key], p.pc = 0, atMoveSeq
		n.there[key] = false
	case atMoveSeq:
		if !m.noSeq {
			n.seq++
		}
		switch p.pc = atGiveLine; {
		case p.i == 1:
			p.pc = atCount
		case oldBytes && !(m.giveFirst && !removes):
			p.pc = atGiveUnit
		}
	case atGiveUnit:
		n.bitmap &^= 1 << (modelLines + p.word&7)
		if p.pc = atGiveLine; m.giveFirst && !removes {
			p.pc = atNumber
		}
	case atGiveLine:
		n.bitmap &^= 1 << (p.line - 1)
		if p.pc = atCount; m.giveEarly && removes {
			p.i, p.pc = 1, atKill
		}
	case atCount:
		n.count = n.linkedKeys()
		p.forget(atUnlock)
	}
	if p.pc == atUnlock {
		p.forget(atUnlock)
	}
}

// drafted is where a draft goes on that has its units.
func (m *lockModel) drafted() modelPC {
	if m.linkFirst {
		return atLink
	}
	return atFillVersion
}

// begin is where an operation goes on that has found its key, or not.
func (m *lockModel) begin(n *modelState, p *modelProcess) modelPC {
	kind, there := p.word&modelKind, p.line > 0
	counter := kind == modelNarrow || kind == modelWide
	switch op := m.op(p); {
	case op == 'G' && there && kind == modelBytes && n.units[p.word&7] != n.lines[p.line-1].version:
		n.bad = badCopy
	case op == 'A' && !there, op == 'R' && counter, op == 'P' && !there, op == 'P' && kind != modelBytes, op == 'O' && !there:
		return atNumber
	case op == 'P' && m.giveFirst:
		return atGiveUnit
	case op == 'P':
		return atNumber
	case op == 'A' && counter:
		return atBumpSwap
	case op == 'D' && there && m.giveEarly && kind == modelBytes:
		return atGiveUnit
	case op == 'D' && there && m.giveEarly:
		return atGiveLine
	case op == 'D' && there && m.noKill:
		return atUnlink
	case op == 'D' && there:
		return atKill
	}
	return atUnlock
}

// linked is what follows when a draft was linked.
func (m *lockModel) linked(p *modelProcess, old *modelLine) modelPC {
	if m.numberLate {
		return atNumberLate
	}
	return m.unlinks(old)
}

func (m *lockModel) unlinks(old *modelLine) modelPC {
	switch {
	case old == nil:
		return atCount
	case m.noKill || m.killFirst:
		return atMoveSeq
	}
	return atKill
}

// take sets the lowest bit of n from first that is not set, and returns which
// it is, from 1.
func (s *modelState) take(first, n uint8) uint8 {
	for i := range n {
		if bit := uint8(1) << (first + i); s.bitmap&bit == 0 {
			s.bitmap |= bit
			return i + 1
		}
	}
	panic("the model has too little memory")
}

func (s *modelState) linkedKeys() (n uint8) {
	for _, line := range s.bucket {
		if line > 0 {
			n++
		}
	}
	return n
}

// reached is the bitmap that the buckets ask for.
func (s *modelState) reached() (bitmap uint8) {
	for _, line := range s.bucket {
		if line == 0 {
			continue
		}
		bitmap |= 1 << (line - 1)
		if word := s.lines[line-1].word; word&modelKind == modelBytes {
			bitmap |= 1 << (modelLines + word&7)
		}
	}
	return bitmap
}

// rebuildLocked is a step of the recoverer with the shard.
func (m *lockModel) rebuildLocked(n *modelState, p *modelProcess) {
	switch p.pc {
	case atRebuild:
		n.bitmap, p.pc = 0, atRetake
	case atRetake:
		line := n.bucket[p.i]
		switch {
		case line == 0:
		case n.lines[line-1].word&modelKind == modelDead && !m.keepLinked:
			n.bucket[p.i] = 0
		default:
			n.bitmap |= 1 << (line - 1)
			if word := n.lines[line-1].word; word&modelKind == modelBytes {
				n.bitmap |= 1 << (modelLines + word&7)
			}
		}
		if p.i++; int(p.i) == len(n.bucket) {
			if p.i, p.pc = 0, atRebuildSeq; m.seqLate {
				p.pc = atKillFree
			}
		}
	case atKillFree:
		for ; p.i < modelLines; p.i++ {
			if word := &n.lines[p.i].word; n.bitmap>>p.i&1 == 0 && *word&modelKind != modelDead && !m.keepWords {
				*word = modelDead
				return
			}
		}
		for ; p.i < modelLines+modelUnits; p.i++ { // a line of a value that is free
			if unit := &n.units[p.i-modelLines]; n.bitmap>>p.i&1 == 0 && *unit != 0 && !m.keepWords {
				*unit = 0
				return
			}
		}
		if p.i, p.pc = 0, atRecount; m.seqLate {
			p.pc = atRebuildSeq
		}
		m.rebuildLocked(n, p)
	case atRecount:
		n.count, p.pc = n.linkedKeys(), atSurrenderSwap
	case atRebuildSeq:
		if p.pc = atKillFree; m.seqLate {
			p.pc = atRecount
		}
		if !m.keepSeq {
			n.seq++
		}
	}
}
