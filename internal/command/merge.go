package command

// mergePatch is a patch of RFC 7396, taken apart once and applied to as many
// targets as it takes. A target keeps the text of its members and their order,
// those that the patch brings come after them in the patch's own, and numbers
// stay as they are written.
type mergePatch struct {
	text    []byte   // trimmed
	members *members // nil: no object, and replaces any target
}

// members are those of an object in the patch, each name once: where one is
// given twice the last value counts.
type members struct {
	list  []member
	index map[string]int // into list, by decoded name; nil while there are few
	round int            // how many objects were taken apart by these
}

// fewMembers are found sooner one by one than by a map.
const fewMembers = 8

type member struct {
	name   []byte   // as written, with its quotes
	key    string   // decoded
	text   []byte   // the value as written
	inner  *members // of a value that is an object
	target int      // the part of the target that it is about; set by parts,
	round  int      // in this round: from an earlier one, it is about none
}

func (m *member) removes() bool { return string(m.text) == "null" }

// parsePatch takes a text apart that ParseValue accepts.
func parsePatch(text []byte) *mergePatch {
	s := scanner{text: trimSpace(text)}
	p := &mergePatch{text: s.text}
	if s.text[0] == '{' {
		p.members = s.members()
	}
	return p
}

func (s *scanner) members() *members {
	m := new(members)
	s.object(func(_ int, name []byte) {
		key := string(unquote(name))
		i := m.find(key)
		if i < 0 {
			i = m.add(member{name: name, key: key})
		}
		start := s.at
		var inner *members
		if s.text[s.at] == '{' {
			inner = s.members()
		} else {
			s.value()
		}
		m.list[i].inner, m.list[i].text = inner, s.text[start:s.at]
	})
	return m
}

func (m *members) add(one member) int {
	m.list = append(m.list, one)
	last := len(m.list) - 1
	switch {
	case m.index != nil:
		m.index[one.key] = last
	case len(m.list) > fewMembers:
		m.index = make(map[string]int, 2*len(m.list))
		for i := range m.list {
			m.index[m.list[i].key] = i
		}
	}
	return last
}

// find returns the place of a member, or -1.
func (m *members) find(key string) int {
	if m.index != nil {
		if i, found := m.index[key]; found {
			return i
		}
		return -1
	}
	for i := range m.list {
		if m.list[i].key == key {
			return i
		}
	}
	return -1
}

// apply appends what the patch makes of a target: a text that validJSON
// accepts, or none. The patch is in one goroutine's hands meanwhile.
func (p *mergePatch) apply(dst, target []byte) []byte {
	target = trimSpace(target)
	switch {
	case p.members == nil:
		return append(dst, p.text...)
	case len(target) == 0 || target[0] != '{':
		return appendNew(dst, p.members)
	}
	s := scanner{text: target}
	return appendMerged(dst, s.parts(p.members), p.members)
}

// part is a member of a target.
type part struct {
	text  []byte // from the name to the end of the value
	name  int    // length of the name in it
	patch int    // place in the patch's list of the member about it, or -1
	inner []part // when both values are objects, else nil
}

// parts takes an object of the target apart, as far as the patch goes into it.
// Where the target has a name twice, the patch is about the last of them. A new
// round forgets what members were about, so that each of many objects under one
// name costs what it has, not what the patch has.
func (s *scanner) parts(m *members) []part {
	m.round++
	list := []part{}
	s.object(func(start int, name []byte) {
		p := part{name: len(name), patch: m.find(string(unquote(name)))}
		if p.patch >= 0 && m.list[p.patch].inner != nil && s.text[s.at] == '{' {
			p.inner = s.parts(m.list[p.patch].inner)
		} else {
			s.value()
		}
		p.text = s.text[start:s.at]
		if p.patch >= 0 {
			m.list[p.patch].target, m.list[p.patch].round = len(list), m.round
		}
		list = append(list, p)
	})
	return list
}

func appendMerged(dst []byte, target []part, patch *members) []byte {
	dst = append(dst, '{')
	start := len(dst)
	for i := range target {
		p := &target[i]
		if p.patch < 0 {
			dst = append(appendComma(dst, start), p.text...)
			continue
		}
		m := &patch.list[p.patch]
		if m.removes() || m.target != i {
			continue
		}
		dst = append(appendComma(dst, start), p.text[:p.name]...)
		dst = append(dst, ':')
		if p.inner != nil {
			dst = appendMerged(dst, p.inner, m.inner)
		} else {
			dst = m.appendValue(dst)
		}
	}
	for i := range patch.list {
		if m := &patch.list[i]; m.round != patch.round {
			dst = m.appendTo(dst, start)
		}
	}
	return append(dst, '}')
}

// appendNew appends the object that a patch makes of nothing.
func appendNew(dst []byte, patch *members) []byte {
	dst = append(dst, '{')
	start := len(dst)
	for i := range patch.list {
		dst = patch.list[i].appendTo(dst, start)
	}
	return append(dst, '}')
}

func (m *member) appendTo(dst []byte, start int) []byte {
	if m.removes() {
		return dst
	}
	dst = append(appendComma(dst, start), m.name...)
	return m.appendValue(append(dst, ':'))
}

func (m *member) appendValue(dst []byte) []byte {
	if m.inner != nil {
		return appendNew(dst, m.inner)
	}
	return append(dst, m.text...)
}

// appendComma parts a member from those since start.
func appendComma(dst []byte, start int) []byte {
	if len(dst) == start {
		return dst
	}
	return append(dst, ',')
}
