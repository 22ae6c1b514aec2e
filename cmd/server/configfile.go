package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/BurntSushi/toml"
)

// maxConfigFile is more bytes than any list of settings has.
const maxConfigFile = 1 << 20

// readFile takes from the file of --config what neither flag nor variable says.
// Its keys are the flags' names, and its values pass the same checks.
func (f *flagSet) readFile(path string) error {
	text, err := readConfig(path)
	if err != nil {
		return usagef("%s %s: %v", f.origins["config"], path, err)
	}
	var values map[string]toml.Primitive
	document, err := toml.Decode(text, &values)
	if err != nil {
		return explainTOML(path, err, "not TOML: %v; text is written in quotes")
	}
	done := map[string]bool{}
	for _, key := range document.Keys() { // as they are written, from the top
		name := key[0]
		if done[name] {
			continue // a member of a table
		}
		done[name] = true
		take := located(func(value any) error { return f.take(path, name, value) })
		if err := document.PrimitiveDecode(values[name], take); err != nil {
			return explainTOML(path, err, "%v")
		}
	}
	return nil
}

// take sets one option from the file, unless a flag or a variable has.
func (f *flagSet) take(path, name string, value any) error {
	var names []string
	for o := range f.options() {
		switch {
		case o.name != name:
		case !o.kept:
			return fmt.Errorf("%s: it is given as a flag or a variable, not in a file", name)
		case f.origins[name] != "":
			return nil
		default:
			f.origins[name] = path + ": " + name
			if err := o.setValue(value); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		}
		if o.kept {
			names = append(names, o.name)
		}
	}
	if _, is := value.(map[string]any); is {
		return fmt.Errorf("[%s]: there are no sections but args; write settings at the top", name)
	}
	return fmt.Errorf("unknown setting %q%s; settings are named as the flags of fondue serve --help", name, didYouMean("", name, names))
}

// readConfig reads the file as a whole. A pipe could not be read again, and might
// keep whoever opens it waiting.
func readConfig(path string) (string, error) {
	switch info, err := os.Stat(path); {
	case err != nil:
		return "", cause(err)
	case info.IsDir():
		return "", errors.New("it is a directory; name a file in it")
	case !info.Mode().IsRegular():
		return "", errors.New("it is not a regular file, which a reload could read again")
	case info.Size() > maxConfigFile:
		return "", fmt.Errorf("%d bytes; a configuration has %d at most", info.Size(), maxConfigFile)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", cause(err)
	}
	return string(text), nil
}

// located is called with a value of the file; its error gets the line.
type located func(value any) error

func (l located) UnmarshalTOML(value any) error { return l(value) }

// explainTOML says in which line of the file something is wrong, and by the format
// what.
func explainTOML(path string, err error, format string) error {
	var at toml.ParseError
	if !errors.As(err, &at) {
		return usagef("%s: "+format, path, err)
	}
	place := fmt.Sprintf("%s:%d", path, at.Position.Line)
	if at.Position.Line == 0 { // of a table that is only named by its members
		place = path
	}
	return usagef("%s: "+format, place, strings.TrimSuffix(at.Message, "."))
}
