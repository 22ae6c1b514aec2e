package dump

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/fondue-server/fondue/internal/shm"
)

// maxLine bounds what is kept of one line, in bytes: the largest value, as
// stored, and the longest key in escapes of six bytes each.
const maxLine = shm.MaxMaxValue + 6*shm.MaxKey + 1024

// Input is a whole dump that was found to be one. Of a key that is there
// several times it has the last line.
type Input struct {
	lines []line
}

// line is a record with the number of its line, for errors.
type line struct {
	number int
	Record
}

// Read reads a dump to its end, and refuses all of it for one bad line. Lines
// of nothing but white space are passed over.
func Read(r io.Reader) (*Input, error) {
	in := &Input{}
	at := map[string]int{} // of a key, in lines
	reader := bufio.NewReaderSize(r, 1<<16)
	var text []byte
	for number := 1; ; number++ {
		var err error
		text, err = readLine(reader, text[:0])
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if len(bytes.TrimSpace(text)) > 0 {
			record, wrong := parseLine(text)
			if wrong != nil {
				return nil, fmt.Errorf("line %d: %w", number, wrong)
			}
			if i, again := at[string(record.Key)]; again {
				in.lines[i] = line{number, record}
			} else {
				at[string(record.Key)] = len(in.lines)
				in.lines = append(in.lines, line{number, record})
			}
		}
		if err != nil {
			return in, nil
		}
	}
}

// readLine appends one line, without its end, to dst. The last one comes with
// io.EOF.
func readLine(r *bufio.Reader, dst []byte) ([]byte, error) {
	for {
		part, err := r.ReadSlice('\n')
		dst = append(dst, part...)
		if len(dst) > maxLine {
			return nil, fmt.Errorf("longer than %d bytes; a dump has one JSON object a line", maxLine)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimSuffix(dst, []byte("\n")), err
		}
	}
}

// CheckSizes refuses values of more bytes than limit.
func (in *Input) CheckSizes(limit int64) error {
	for _, l := range in.lines {
		if n := len(l.Value.Bytes); int64(n) > limit {
			return fmt.Errorf("line %d: key %.40q: %w: %d bytes, at most %d; raise --max-value, or make a larger region",
				l.number, l.Key, shm.ErrValueTooLarge, n, limit)
		}
	}
	return nil
}
