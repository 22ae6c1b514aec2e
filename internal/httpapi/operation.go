package httpapi

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fondue-server/fondue/internal/command"
	"github.com/fondue-server/fondue/internal/shm"
)

// memberName is one of the members that an operation of a batch can have.
type memberName uint8

const (
	memberOp memberName = iota
	memberKey
	memberKeyBase64
	memberValue
	memberBy
	memberInit
	memberTTL
	memberIfMatch
	memberIfNoneMatch
	memberCount
)

var memberNames = [memberCount]string{"op", "key", "key_base64", "value", "by", "init", "ttl", "if_match", "if_none_match"}

// operations has the members of each operation beside op and the key.
var operations = map[string]struct {
	op    command.Op
	takes []memberName
}{
	"get":       {command.OpGet, []memberName{memberIfMatch, memberIfNoneMatch}},
	"put":       {command.OpPut, []memberName{memberValue, memberTTL, memberIfMatch, memberIfNoneMatch}},
	"patch":     {command.OpPatch, []memberName{memberValue, memberTTL, memberIfMatch, memberIfNoneMatch}},
	"delete":    {command.OpRemove, []memberName{memberIfMatch, memberIfNoneMatch}},
	"increment": {command.OpIncrement, []memberName{memberBy, memberInit, memberTTL}},
}

// rawOperation has the members of an operation as they are written; nil are
// those that it does not have.
type rawOperation [memberCount]json.RawMessage

// decodeOperation reads one operation, valid JSON. Its errors are for clients.
func decodeOperation(text json.RawMessage) (o command.Operation, err error) {
	raw, err := decodeMembers(text)
	if err != nil {
		return o, err
	}
	name, err := raw.text(memberOp)
	if err != nil {
		return o, err
	}
	form, known := operations[name]
	if !known {
		return o, fmt.Errorf("op must be get, put, patch, delete or increment, not %q", name)
	}
	for m := memberValue; m < memberCount; m++ {
		if raw[m] != nil && !slices.Contains(form.takes, m) {
			return o, fmt.Errorf("%s does not take the member %s", name, memberNames[m])
		}
	}
	o.Op, o.By = form.op, 1
	if o.Key, err = raw.key(); err != nil {
		return o, err
	}
	switch {
	case o.Op == command.OpPut && raw[memberValue] == nil:
		return o, errors.New("put needs a value")
	case o.Op == command.OpPatch && raw[memberValue] == nil && raw[memberTTL] == nil:
		return o, errors.New("patch needs a value, which is the merge patch, or a ttl")
	case o.Op == command.OpPut:
		if o.Value, err = command.ParseValue(raw[memberValue]); err != nil {
			return o, err
		}
	case o.Op == command.OpPatch:
		o.Merge = raw[memberValue]
	}
	return o, raw.fill(&o)
}

// fill reads the members that have a default.
func (raw *rawOperation) fill(o *command.Operation) (err error) {
	if raw[memberBy] != nil {
		if o.By, err = raw.integer(memberBy); err != nil {
			return err
		}
	}
	if raw[memberInit] != nil {
		if o.Init, err = raw.integer(memberInit); err != nil {
			return err
		}
	}
	if raw[memberTTL] != nil {
		if err = raw.ttl(o); err != nil {
			return err
		}
	}
	if raw[memberIfMatch] != nil {
		tags, err := raw.tags(memberIfMatch, strong)
		if err != nil {
			return err
		}
		o.If.Present, o.If.Match = tags.any, tags.list()
	}
	if raw[memberIfNoneMatch] != nil {
		tags, err := raw.tags(memberIfNoneMatch, weak)
		if err != nil {
			return err
		}
		o.If.Absent, o.If.Not = tags.any, tags.list()
	}
	return nil
}

func decodeMembers(text json.RawMessage) (raw rawOperation, err error) {
	members, err := command.Members(text)
	twice := new(command.TwiceError)
	switch {
	case errors.Is(err, command.ErrNotObject):
		return raw, errors.New("it must be an object")
	case errors.As(err, &twice):
		return raw, fmt.Errorf("member %.40q is there twice; give it once", twice.Name)
	}
	for _, m := range members {
		name, _ := command.Text(m.Name)
		i := slices.Index(memberNames[:], name)
		if i < 0 {
			return raw, fmt.Errorf("member %.40s is unknown; there are %s", m.Name, command.InWords(memberNames[:]))
		}
		raw[i] = m.Value
	}
	return raw, nil
}

// text reads a member that must be a string.
func (raw *rawOperation) text(m memberName) (s string, err error) {
	switch {
	case raw[m] == nil:
		return "", fmt.Errorf("member %s is missing", memberNames[m])
	case raw[m][0] != '"':
		return "", fmt.Errorf("%s must be a string", memberNames[m])
	}
	if s, err = command.Text(raw[m]); err != nil {
		err = fmt.Errorf("%s has %w; write the bytes of a key as key_base64", memberNames[m], err)
	}
	return s, err
}

// integer reads a member that must be an integer.
func (raw *rawOperation) integer(m memberName) (int64, error) {
	n, err := parseInt(raw[m])
	if err != nil {
		return 0, fmt.Errorf("%s must be an integer of 64 bits, not %.40s", memberNames[m], raw[m])
	}
	return n, nil
}

// key reads the key: text, or the bytes of any key in base64.
func (raw *rawOperation) key() (key []byte, err error) {
	var text string
	if raw[memberKeyBase64] == nil {
		text, err = raw.text(memberKey)
		key = []byte(text)
	} else {
		text, err = raw.text(memberKeyBase64)
		if err == nil && raw[memberKey] != nil {
			err = errors.New("key and key_base64 are both there; give one of them")
		}
		if err == nil {
			if key, err = base64.StdEncoding.Strict().DecodeString(text); err != nil {
				err = errors.New("key_base64 must be base64 of RFC 4648, section 4, with its padding")
			}
		}
	}
	if err == nil && (len(key) == 0 || len(key) > shm.MaxKey) {
		err = fmt.Errorf("a key has 1 to %d bytes", shm.MaxKey)
	}
	return key, err
}

// ttl reads a number of seconds, or text as in a query.
func (raw *rawOperation) ttl(o *command.Operation) (err error) {
	o.SetTTL = true
	if s, err := raw.text(memberTTL); err == nil && s == "none" && o.Op == command.OpPatch {
		return nil
	}
	o.TTL, err = command.ParseJSONTTL(raw[memberTTL])
	return err
}

// tags reads "*", one ETag as a batch returns it, or a list as the header
// field of that name has it.
func (raw *rawOperation) tags(m memberName, how comparison) (l tagList, err error) {
	s, err := raw.text(m)
	if err != nil {
		return l, err
	}
	if s != "" && !strings.ContainsAny(s, "\"*, ") {
		s = `"` + s + `"`
	}
	if l.parse([][]byte{[]byte(s)}, how) != nil {
		err = fmt.Errorf("%s must be *, an etag, or a list of entity tags, each in double quotes", memberNames[m])
	}
	return l, err
}
