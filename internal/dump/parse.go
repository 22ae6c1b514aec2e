package dump

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/fondue-server/fondue/internal/command"
	"github.com/fondue-server/fondue/internal/shm"
)

// parseLine reads one line. Its errors say what would be right.
func parseLine(text []byte) (Record, error) {
	if !utf8.Valid(text) {
		return Record{}, errors.New("not UTF-8; a key that is not goes into key_base64")
	}
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
	if ttl := found[memberTTL]; ttl != nil {
		if r.TTL, err = command.ParseJSONTTL(ttl); err != nil {
			return Record{}, fmt.Errorf("%w; leave it out for a key that does not expire", err)
		}
	}
	return r, nil
}

// members reads the JSON object of a line, and nothing after it.
func members(text []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	start, err := d.Token()
	if err != nil {
		return nil, notJSON(d, err)
	}
	if start != json.Delim('{') {
		return nil, errors.New(`not a JSON object; write {"key":...,"value":...}`)
	}
	found := map[string]json.RawMessage{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, notJSON(d, err)
		}
		name, _ := token.(string)
		switch name {
		case memberKey, memberBase64, memberValue, memberTTL:
		default:
			return nil, fmt.Errorf("member %.40q is unknown; a line has key or key_base64, value, and ttl where it expires", name)
		}
		if found[name] != nil {
			return nil, fmt.Errorf("member %q is there twice; give it once", name)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, notJSON(d, err)
		}
		found[name] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, notJSON(d, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more text after the object; write each on a line of its own")
	}
	return found, nil
}

// notJSON says where a line stops being JSON.
func notJSON(d *json.Decoder, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("not JSON: the line ends within the object; if it is the last one, the dump was cut off")
	}
	offset := d.InputOffset()
	if syntax := new(json.SyntaxError); errors.As(err, &syntax) {
		offset = max(offset, syntax.Offset-1)
	}
	return fmt.Errorf("not JSON, at byte %d of the line: %w", offset+1, err)
}

func keyOf(found map[string]json.RawMessage) ([]byte, error) {
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
	var key string
	if text[0] != '"' {
		return nil, fmt.Errorf("%s is no string; a key is written in quotes", name)
	}
	if err := json.Unmarshal(text, &key); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	decoded := []byte(key)
	if coded != nil {
		var err error
		if decoded, err = base64.StdEncoding.Strict().DecodeString(key); err != nil {
			return nil, fmt.Errorf("key_base64 is not base64 as RFC 4648 has it, with padding: %w", err)
		}
	}
	if len(decoded) < 1 || len(decoded) > shm.MaxKey {
		return nil, fmt.Errorf("the key %.40q has %d bytes; a key has 1 to %d", decoded, len(decoded), shm.MaxKey)
	}
	return decoded, nil
}
