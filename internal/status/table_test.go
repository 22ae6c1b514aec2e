package status

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestTable compares with testdata; UPDATE_GOLDEN=1 writes it anew.
func TestTable(t *testing.T) {
	t.Parallel()
	busy := Make(earlier(), later())
	once := Make(nil, later())
	dead := later()
	dead.Masters, dead.Alive = nil, map[int]bool{}
	left := Make(nil, dead)
	leaving := later()
	leaving.Masters = nil
	orphans := Make(earlier(), leaving)
	crowd := crowded()
	var all strings.Builder
	for _, c := range []struct {
		what          string
		d             *Document
		width, height int
	}{
		{"any size", &busy, 0, 0},
		{"80x24", &busy, 80, 24},
		{"without rates", &once, 80, 24},
		{"no server", &left, 80, 24},
		{"no master", &orphans, 80, 24},
		{"many workers", &crowd, 80, 24},
		{"a small window", &crowd, 50, 16},
		{"a smaller one", &crowd, 30, 10},
	} {
		fmt.Fprintf(&all, "--- %s\n%s", c.what, Text(Table(c.d, c.width, c.height)))
	}
	path := filepath.Join("testdata", "table.golden")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(all.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := read(t, path); all.String() != want {
		t.Errorf("got\n%s\nwant\n%s", all.String(), want)
	}
}

// crowded is a server with many workers.
func crowded() Document {
	before, now := earlier(), later()
	for i := 4; i < 64; i++ {
		slot := now.Slots[0]
		slot.Slot, slot.PID = i, 1234567+i
		now.Slots = append(now.Slots, slot)
		now.Alive[i] = i != 9
	}
	return Make(before, now)
}

// TestTableFits every window, in printable ASCII, and is whole where it is large enough.
func TestTableFits(t *testing.T) {
	t.Parallel()
	busy, crowd := Make(earlier(), later()), crowded()
	busy.Region.Path = "/tmp/\x1b[31mw\u00fcrst\n"
	for _, d := range []*Document{&busy, &crowd, {}} {
		whole := len(Table(d, 0, 0))
		for width := 1; width < 160; width += 7 {
			for height := 1; height < 90; height += 2 {
				lines := Table(d, width, height)
				if len(lines) > height {
					t.Fatalf("%dx%d: %d lines", width, height, len(lines))
				}
				if height >= whole && len(lines) != whole {
					t.Errorf("%dx%d: %d lines of %d", width, height, len(lines), whole)
				}
				for _, l := range lines {
					if len(l.Text) > width || strings.ContainsFunc(l.Text, func(r rune) bool { return r < ' ' || r > '~' }) {
						t.Fatalf("%dx%d: %q", width, height, l.Text)
					}
				}
			}
		}
	}
}

// TestRoles: what somebody should look at stands out.
func TestRoles(t *testing.T) {
	t.Parallel()
	now := later()
	now.Slots[0].HeartbeatAge = 3 * time.Second
	now.Store.Used, now.Store.Free = 95<<20, 5<<20
	d := Make(earlier(), now)
	roles := map[string]Role{}
	for _, l := range Table(&d, 0, 0) {
		for _, mark := range []string{"fondue ", "store ", "traffic ", "latency ", "SLOT", "silent", "dead", "starting", "/increment", "/v1/keys/{key}"} {
			if strings.Contains(l.Text, mark) {
				roles[mark] = l.Role
			}
		}
	}
	for mark, want := range map[string]Role{
		"fondue ": Title, "store ": Notice, "traffic ": Alarm, "latency ": Plain, "SLOT": Heading, "silent": Alarm, "dead": Alarm, "starting": Notice,
		"/increment": Plain, "/v1/keys/{key}": Alarm,
	} {
		if roles[mark] != want {
			t.Errorf("%q has role %d, want %d", mark, roles[mark], want)
		}
	}
}

func TestUnits(t *testing.T) {
	t.Parallel()
	number := func(v float64) *float64 { return &v }
	for _, c := range []struct{ got, want string }{
		{humanCount(0), "0"},
		{humanCount(999), "999"},
		{humanCount(1000), "1.0 k"},
		{humanCount(9940), "9.9 k"},
		{humanCount(9999), "10.0 k"},
		{humanCount(99999), "100 k"},
		{humanCount(999999), "1.0 M"},
		{humanCount(1 << 63), "9223372 T"},
		{humanBytes(1023), "1023 B"},
		{humanBytes(1000), "1000 B"},
		{humanBytes(0.4), "0 B"},
		{humanBytes(32 << 20), "32.0 MiB"},
		{humanRate(nil), "-"},
		{humanRate(number(0.5)), "0.5"},
		{humanRate(number(12345)), "12.3 k"},
		{humanPercent(number(0)), "0%"},
		{humanPercent(number(9.96)), "10%"},
		{humanPercent(number(9.94)), "9.9%"},
		{humanPercent(nil), "-"},
		{humanMicroseconds(number(999.9)), "1.0 ms"},
		{humanMicroseconds(number(35)), "35 us"},
		{humanMicroseconds(number(5e7)), "50.0 s"},
		{humanSeconds(-1), "0.0s"},
		{humanSeconds(9.94), "9.9s"},
		{humanSeconds(59), "59s"},
		{humanSeconds(61), "1m01s"},
		{humanSeconds(3661), "1h01m"},
		{humanSeconds(90000), "1d01h"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}
