package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/fondue-server/fondue/internal/command"
	"github.com/fondue-server/fondue/internal/master"
	"github.com/fondue-server/fondue/internal/shm"
)

// readPreload reads the keys that the master sets, if absent, before the first
// worker starts. All of the file is checked before any of it counts.
func readPreload(path string) ([]master.Preload, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, cause(err))
	}
	keys, err := parsePreload(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return keys, nil
}

func parsePreload(text []byte) ([]master.Preload, error) {
	list, err := members(text)
	if err != nil {
		return nil, err
	}
	keys := make([]master.Preload, 0, len(list))
	for _, m := range list {
		key, err := command.Text(m.Name)
		if err != nil {
			return nil, fmt.Errorf("key %.40s has %w; write whole characters", m.Name, err)
		}
		if len(key) < 1 || len(key) > shm.MaxKey {
			return nil, fmt.Errorf("key %.40q has %d bytes; a key has 1 to %d", key, len(key), shm.MaxKey)
		}
		value, err := command.ParseValue(m.Value)
		if err != nil {
			return nil, fmt.Errorf("key %q: %w", key, err)
		}
		keys = append(keys, master.Preload{Key: key, Value: value})
	}
	return keys, nil
}

// cause drops the path that a message names already.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
