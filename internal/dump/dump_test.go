package dump

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fondue-server/fondue/internal/shm"
)

// everything has each kind of key, value and time to live.
func everything() []Record {
	text := func(s string) shm.Value { return shm.BytesValue([]byte(s)) }
	records := []Record{
		{Key: []byte("lowest"), Value: shm.IntegerValue(math.MinInt64)},
		{Key: []byte("highest"), Value: shm.IntegerValue(math.MaxInt64)},
		{Key: []byte("expires"), Value: shm.IntegerValue(7), TTL: time.Hour},
		{Key: []byte("null"), Value: text("null"), TTL: 90 * time.Minute},
		{Key: []byte("float"), Value: text("-1.50e+300")},
		{Key: []byte("beyond 64 bits"), Value: text("18446744073709551616")},
		{Key: []byte("spaced"), Value: text(`{"a" : [1,  2]}`)},
		{Key: []byte("<html> & \"quotes\" \\ \u2028 \x00 \n é"), Value: text(`"<b>&\u0000\"é"`)},
		{Key: []byte{0xff, 0x00, 0xfe}, Value: text(`{}`)},
		{Key: []byte("cut \xc3"), Value: text(`[]`), TTL: time.Minute},
		{Key: bytes.Repeat([]byte{0x80}, shm.MaxKey), Value: text(`false`)},
		{Key: bytes.Repeat([]byte("k"), shm.MaxKey), Value: text(`true`)},
		{Key: []byte("large"), Value: text(`"` + strings.Repeat("x", 1<<20-2) + `"`)},
	}
	for i := range 1000 {
		records = append(records, Record{Key: fmt.Appendf(nil, "many/%d", i), Value: text(fmt.Sprintf(`{"i":%d}`, i))})
	}
	return records
}

// TestRoundTrip: what is loaded from a dump gives the same dump.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	from, to := newStore(t, 16<<20), newStore(t, 24<<20)
	all := everything()
	for _, r := range all {
		put(t, from, r)
	}
	first := save(t, from, "")
	if len(first) != len(all) {
		t.Fatalf("%d lines of %d keys", len(first), len(all))
	}
	done, err := Load(to, mustRead(t, strings.Join(first, "")), false)
	if err != nil || done != (Result{Loaded: len(all)}) {
		t.Fatalf("%+v, %v", done, err)
	}
	second := save(t, to, "")
	for i := range first {
		a, b := record(t, first[i]), record(t, second[i])
		if a.TTL != 0 && b.TTL > a.TTL-time.Minute && b.TTL <= a.TTL {
			a.TTL = b.TTL // time has passed
		}
		if !bytes.Equal(a.Key, b.Key) || !bytes.Equal(a.Value.Bytes, b.Value.Bytes) || a.Value.Integer != b.Value.Integer || a.Value.Int != b.Value.Int || a.TTL != b.TTL {
			t.Errorf("line %.200s became %.200s", first[i], second[i])
		}
	}
	for _, r := range all { // and it is what was there in the beginning
		item, err := to.Read(nil, r.Key)
		if err != nil || item.Integer != r.Value.Integer || item.Int != r.Value.Int || !bytes.Equal(item.Bytes, r.Value.Bytes) {
			t.Errorf("key %.40q: %v, %v", r.Key, item, err)
		}
		if r.TTL > 0 && (item.TTL > r.TTL || item.TTL < r.TTL-time.Minute) || r.TTL == 0 && item.TTL != 0 {
			t.Errorf("key %.40q lives for %v, want %v", r.Key, item.TTL, r.TTL)
		}
	}
}

func record(t *testing.T, text string) Record {
	t.Helper()
	r, err := parseLine([]byte(text))
	if err != nil {
		t.Fatalf("%.200s: %v", text, err)
	}
	return r
}

// TestLines pins the form: other programs read it.
func TestLines(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		record Record
		want   string
	}{
		{Record{Key: []byte("a"), Value: shm.IntegerValue(-1)}, `{"key":"a","value":-1}`},
		{Record{Key: []byte("a<&é"), Value: shm.BytesValue([]byte(`"<&é"`)), TTL: 29512 * time.Millisecond}, `{"key":"a<&é","value":"<&é","ttl":29.512}`},
		{Record{Key: []byte{0xff, 0}, Value: shm.BytesValue([]byte("null")), TTL: time.Second}, `{"key_base64":"/wA=","value":null,"ttl":1}`},
		{Record{Key: []byte("a"), Value: shm.BytesValue([]byte("{\"x\": 1}")), TTL: time.Millisecond}, `{"key":"a","value":{"x": 1},"ttl":0.001}`},
		{Record{Key: []byte("a"), Value: shm.BytesValue([]byte("{\n \"x\": \"\\n <\",\r\n \"y\": [1, 2]\n}")), TTL: 1500 * time.Microsecond}, `{"key":"a","value":{"x":"\n <","y":[1,2]},"ttl":0.002}`},
		{Record{Key: []byte("a"), Value: shm.BytesValue([]byte("[1,\r2]")), TTL: 100 * time.Second}, `{"key":"a","value":[1,2],"ttl":100}`},
	} {
		line, err := c.record.appendLine([]byte("before"))
		if err != nil || string(line) != "before"+c.want+"\n" {
			t.Errorf("%s, %v\nwant before%s", line, err, c.want)
		}
	}
	for _, bytes := range []string{"", "{", "\xff", "{}{}"} {
		r := Record{Key: []byte("a"), Value: shm.BytesValue([]byte(bytes))}
		if line, err := r.appendLine(nil); !errors.Is(err, errNotJSON) {
			t.Errorf("%q: %s, %v", bytes, line, err)
		}
	}
}

func TestPrefix(t *testing.T) {
	t.Parallel()
	store := newStore(t, 4<<20)
	for _, key := range []string{"a", "ab", "abc", "b", "a\xff"} {
		put(t, store, Record{Key: []byte(key), Value: shm.IntegerValue(1)})
	}
	for prefix, want := range map[string]int{"": 5, "a": 4, "ab": 2, "a\xff": 1, "x": 0} {
		if lines := save(t, store, prefix); len(lines) != want {
			t.Errorf("prefix %q: %q", prefix, lines)
		}
	}
}

// TestSaveBesideWriters: keys that are there throughout are in every dump, and
// each line is true of some moment.
func TestSaveBesideWriters(t *testing.T) {
	t.Parallel()
	store := newStore(t, 8<<20)
	const keys = 500
	for i := range keys {
		put(t, store, Record{Key: fmt.Appendf(nil, "stays/%d", i), Value: shm.IntegerValue(int64(i))})
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { // until stop is closed
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			key := fmt.Appendf(nil, "comes and goes/%d", i%300)
			value := fmt.Appendf(nil, `"%s"`, bytes.Repeat([]byte{byte('a' + i%26)}, i%5000))
			if _, err := store.Put(key, shm.Put{Value: shm.BytesValue(value)}); err != nil && !errors.Is(err, shm.ErrFull) {
				t.Errorf("put: %v", err)
			}
			if err := store.Remove(fmt.Appendf(nil, "comes and goes/%d", (i+150)%300), shm.Condition{}); err != nil && !errors.Is(err, shm.ErrNotFound) {
				t.Errorf("remove: %v", err)
			}
		}
	}()
	rounds := 20
	if testing.Short() {
		rounds = 4
	}
	for range rounds {
		lines := save(t, store, "")
		for i := range keys {
			if want := fmt.Sprintf("{\"key\":\"stays/%d\",\"value\":%d}\n", i, i); !slices.Contains(lines, want) {
				t.Fatalf("no line %s", want)
			}
		}
		for _, l := range lines {
			if r := record(t, l); !r.Value.Integer && len(r.Value.Bytes) > 2 && strings.Trim(string(r.Value.Bytes), string(r.Value.Bytes[1])+`"`) != "" {
				t.Fatalf("a value of two writes: %.100s", l)
			}
		}
	}
	close(stop)
	<-stopped
}

// failingWriter takes some bytes and no more.
type failingWriter struct{ room int }

var errNoRoom = errors.New("no room")

func (w *failingWriter) Write(b []byte) (int, error) {
	if w.room -= len(b); w.room < 0 {
		return 0, errNoRoom
	}
	return len(b), nil
}

func TestSaveCannotWrite(t *testing.T) {
	t.Parallel()
	store := newStore(t, 4<<20)
	put(t, store, Record{Key: []byte("k"), Value: shm.BytesValue([]byte(`"` + strings.Repeat("x", 1<<18) + `"`))})
	for _, room := range []int{0, 1 << 17} {
		if err := Save(&failingWriter{room}, store, nil); !errors.Is(err, errNoRoom) {
			t.Errorf("room for %d: %v", room, err)
		}
	}
	if err := Save(&failingWriter{1 << 20}, store, nil); err != nil {
		t.Error(err)
	}
}

// TestSaveNamesWhatIsNoJSON: a value that no line can hold does not become a
// broken line.
func TestSaveNamesWhatIsNoJSON(t *testing.T) {
	t.Parallel()
	store := newStore(t, 4<<20)
	put(t, store, Record{Key: []byte("odd"), Value: shm.BytesValue([]byte("no JSON"))})
	if err := Save(new(bytes.Buffer), store, nil); !errors.Is(err, errNotJSON) || !strings.Contains(err.Error(), `"odd"`) {
		t.Errorf("%v", err)
	}
}
