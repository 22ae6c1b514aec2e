package dump

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/fondue-server/fondue/internal/shm"
)

// scanLimit is how many keys are listed at once.
const scanLimit = 256

// Save writes every key that begins with prefix. Nobody waits for it. The
// start-up arguments are not part of a dump.
func Save(w io.Writer, store *shm.Store, prefix []byte) error {
	out := bufio.NewWriterSize(w, 1<<16)
	s := saver{store: store, out: out}
	var keys []shm.Key
	for cursor := []byte(nil); ; {
		var err error
		if keys, cursor, err = store.Scan(keys[:0], prefix, cursor, scanLimit); err != nil {
			return fmt.Errorf("list the keys: %w", err)
		}
		for _, k := range keys {
			if err := s.save(k.Key); err != nil {
				return err
			}
		}
		if len(cursor) == 0 {
			break
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("the dump cannot be written: %w", err)
	}
	return nil
}

type saver struct {
	store       *shm.Store
	out         *bufio.Writer
	value, line []byte // reused
}

func (s *saver) save(key []byte) error {
	item, err := s.store.Read(s.value[:0], key)
	switch {
	case errors.Is(err, shm.ErrNotFound):
		return nil // gone since it was listed
	case err != nil:
		return fmt.Errorf("key %.40q: %w", key, err)
	case !item.Integer:
		s.value = item.Bytes
	}
	record := Record{Key: key, Value: item.Value, TTL: item.TTL}
	line, err := record.appendLine(s.line[:0])
	if err != nil {
		return fmt.Errorf("key %.40q: %w; replace or delete it, and dump again", key, err)
	}
	s.line = line
	if _, err := s.out.Write(line); err != nil {
		return fmt.Errorf("the dump cannot be written: %w", err)
	}
	return nil
}
