package dump

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/fondue-server/fondue/internal/command"
	"github.com/fondue-server/fondue/internal/shm"
)

// parseLine reads one line. Its errors say what would be right. The record
// keeps nothing of text.
func parseLine(text []byte) (Record, error) {
	found, err := members(text)
	if err != nil {
		return Record{}, err
	}
	var r Record
	if r.Key, err = keyOf(found); err != nil {
		return Record{}, err
	}
	if found[memberValue] == nil {
		return Record{}, errors.New(`value is missing; write {"key":...,"value":...}`)
	}
	if r.Value, err = command.ParseValue(found[memberValue]); err != nil {
		return Record{}, fmt.Errorf("value: %w", err)
	}
	r.Value.Bytes = bytes.Clone(r.Value.Bytes) // they lie in text
	if ttl := found[memberTTL]; ttl != nil {
		if r.TTL, err = command.ParseJSONTTL(ttl); err != nil {
			return Record{}, fmt.Errorf("%w; leave it out for a key that does not expire", err)
		}
	}
	return r, nil
}

// members reads the JSON object of a line, and nothing after it.
func members(text []byte) (map[string][]byte, error) {
	if err := command.CheckJSON(text); err != nil {
		return nil, explainSyntax(err)
	}
	list, err := command.Members(text)
	twice := new(command.TwiceError)
	switch {
	case errors.Is(err, command.ErrNotObject):
		return nil, errors.New(`not a JSON object; write {"key":...,"value":...}`)
	case errors.As(err, &twice):
		return nil, fmt.Errorf("member %.40q is there twice; give it once", twice.Name)
	}
	found := map[string][]byte{}
	for _, m := range list {
		switch name, _ := command.Text(m.Name); name {
		case memberKey, memberBase64, memberValue, memberTTL:
			found[name] = m.Value
		default:
			return nil, fmt.Errorf("member %.40s is unknown; a line has key or key_base64, value, and ttl where it expires", m.Name)
		}
	}
	return found, nil
}

// explainSyntax says where a line stops being JSON.
func explainSyntax(err error) error {
	syntax := new(command.SyntaxError)
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("not JSON, at byte %d of the line: %w", syntax.At+1, err)
	case errors.Is(err, command.ErrNotUTF8):
		return fmt.Errorf("%w; a key that is not goes into key_base64", err)
	case errors.Is(err, command.ErrCutOff):
		return errors.New("not JSON: the line ends within the object; if it is the last one, the dump was cut off")
	case errors.Is(err, command.ErrTooMuch):
		return errors.New("there is more text after the object; write each on a line of its own")
	}
	return err
}

func keyOf(found map[string][]byte) ([]byte, error) {
	plain, coded := found[memberKey], found[memberBase64]
	if plain != nil && coded != nil {
		return nil, errors.New("both key and key_base64 are there; give one of them")
	}
	name, text := memberKey, plain
	if coded != nil {
		name, text = memberBase64, coded
	}
	if text == nil {
		return nil, errors.New("key is missing; give it as key, or as key_base64 when it is not UTF-8")
	}
	if text[0] != '"' {
		return nil, fmt.Errorf("%s is no string; a key is written in quotes", name)
	}
	key, err := command.Text(text)
	if err != nil {
		return nil, fmt.Errorf("the key %.40s has %w; write the bytes of the key as key_base64", text, err)
	}
	decoded := []byte(key)
	if coded != nil {
		if decoded, err = base64.StdEncoding.Strict().DecodeString(key); err != nil {
			return nil, fmt.Errorf("key_base64 is not base64 as RFC 4648 has it, with padding: %w", err)
		}
	}
	if len(decoded) < 1 || len(decoded) > shm.MaxKey {
		return nil, fmt.Errorf("the key %.40q has %d bytes; a key has 1 to %d", decoded, len(decoded), shm.MaxKey)
	}
	return decoded, nil
}
