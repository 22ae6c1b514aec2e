package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// setValue gives the option a value of the file of --config.
func (o option) setValue(value any) error {
	texts, err := o.texts(value)
	if err != nil {
		return err
	}
	for _, text := range texts {
		if err := o.value.Set(text); err != nil {
			return err
		}
	}
	return nil
}

// texts are what a value would be on the command line, one for each time that
// the flag is given.
func (o option) texts(value any) ([]string, error) {
	list, is := value.([]any)
	switch {
	case !is:
		text, err := o.text(value)
		return []string{text}, err
	case !o.many:
		return nil, errors.New("it has one value, not a list")
	case len(list) == 0:
		return nil, errors.New("the list is empty; leave it out for the default")
	}
	var texts []string
	for _, v := range list {
		text, err := o.text(v)
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, nil
}

func (o option) text(value any) (string, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), nil
	case bool:
		if o.arg != "" { // a file called "true" is what nobody means
			return "", fmt.Errorf("it takes %s, not %t; text is written in quotes", o.arg, v)
		}
		return strconv.FormatBool(v), nil
	case map[string]any:
		if !o.object {
			return "", errors.New("it is no section; write settings at the top, as " + o.name + " = ...")
		}
		return jsonOf(v)
	}
	return "", errors.New("a value of this kind is not possible; write it as text, in quotes")
}

// jsonOf writes a table as a JSON object. JSON has no dates, and not every number.
func jsonOf(table map[string]any) (string, error) {
	if err := checkMembers(table); err != nil {
		return "", err
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(table); err != nil {
		return "", fmt.Errorf("it cannot be written as JSON: %w", err)
	}
	return text.String(), nil
}

func checkMembers(value any) error {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			if err := checkMembers(member); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	case []any:
		for _, member := range v {
			if err := checkMembers(member); err != nil {
				return err
			}
		}
	case []map[string]any:
		for _, member := range v {
			if err := checkMembers(member); err != nil {
				return err
			}
		}
	case time.Time:
		return errors.New("JSON has no dates; write it as text, in quotes")
	}
	return nil
}
