package status

import (
	"fmt"
	"strconv"
	"strings"
)

// Role is what a line is, for a screen that shows it so.
type Role uint8

// The roles of lines.
const (
	Plain Role = iota
	Title
	Heading // of columns
	Alarm   // somebody should look at it
	Notice  // on its way from one state to another
)

// Line is one of a table, in printable ASCII.
type Line struct {
	Text string
	Role Role
}

// Table shows a document to people, within a width and height of which 0 is any. Where
// there is no room the least important columns and rows are left out; how many rows
// those are is said.
func Table(d *Document, width, height int) []Line {
	all := head(d, width)
	for _, section := range share([]section{
		{rows: workers(d).lines(width), least: 3, noun: "workers"},
		{rows: routes(d).lines(width), least: 3, noun: "routes"},
		{rows: shards(d).lines(width), least: 2, noun: "shards"},
	}, height-len(all), height > 0) {
		all = append(all, Line{})
		all = append(all, section.cut()...)
	}
	if height > 0 {
		all = all[:min(len(all), height)]
	}
	if width > 0 {
		for i := range all {
			all[i].Text = all[i].Text[:min(len(all[i].Text), width)]
		}
	}
	return all
}

// Text is lines as a file has them.
func Text(lines []Line) string {
	var text strings.Builder
	for _, l := range lines {
		text.WriteString(l.Text)
		text.WriteByte('\n')
	}
	return text.String()
}

const barWidth = 24

// full is how much of the store is in use when somebody should know, in percent: shards
// fill unevenly, and one that is full refuses.
const full = 90

// head says how the server and the store are.
func head(d *Document, width int) []Line {
	r, t := &d.Region, &d.Totals
	var masters []string
	for _, m := range d.Masters {
		masters = append(masters, strconv.Itoa(m.PID))
	}
	title := words{"fondue " + plain(r.Path), d.Time.Format("15:04:05 UTC")}
	if d.Running {
		title = words{title[0], "master " + strings.Join(masters, ", "), "up " + humanSeconds(d.Time.Sub(d.Masters[0].StartedAt).Seconds()), title[1]}
	}
	all := []Line{{title.within(width), Title}}
	if !d.Running {
		text := "no server runs; this is what it left"
		for i := range d.Workers {
			if d.Workers[i].Alive {
				text = "no master runs; its workers are leaving"
			}
		}
		all = append(all, Line{text, Alarm})
	}
	filled := min(max(int(r.UsedPercent/100*barWidth+0.5), 0), barWidth)
	say := func(role Role, w words) { all = append(all, Line{w.within(width), role}) }
	fill := Plain
	if r.UsedPercent >= full {
		fill = Notice
	}
	say(fill, words{
		"store    [" + strings.Repeat("#", filled) + strings.Repeat(".", barWidth-filled) + "] " + humanPercent(&r.UsedPercent),
		humanBytes(float64(r.Used)) + " of " + humanBytes(float64(r.Used+r.Free)), humanCount(r.Keys) + " keys", humanCount(r.Expiring) + " expiring",
	})
	ratio := "no reads yet"
	if d.Interval != nil {
		ratio = "no reads"
	}
	if r.HitRatio != nil {
		hit := *r.HitRatio * 100
		ratio = "hits " + humanPercent(&hit)
	}
	say(Plain, words{
		"keys     " + ratio, also("evictions "+humanCount(r.Evictions), r.EvictionsPerSecond), also("lock waits "+humanCount(r.LockWaits), r.LockWaitsPerSecond),
		"expiries " + humanCount(r.Expiries), "recoveries " + humanCount(r.Recoveries),
	})
	rates := words{humanCount(t.Requests) + " requests", "4xx " + humanCount(t.Refused), "5xx " + humanCount(t.Failed)}
	bytes := words{"in " + humanBytes(float64(t.Received)), "out " + humanBytes(float64(t.Sent))}
	if d.Interval != nil {
		rates = words{humanRate(t.RequestsPerSecond) + " req/s", "4xx " + perSecond(t.RefusedPerSecond), "5xx " + perSecond(t.FailedPerSecond)}
		bytes = words{"in " + humanBytes(value(t.ReceivedPerSecond)) + "/s", "out " + humanBytes(value(t.SentPerSecond)) + "/s"}
	}
	failing := Plain
	if value(t.FailedPerSecond) > 0 {
		failing = Alarm
	}
	say(failing, words{"traffic  " + rates[0], rates[1], rates[2], bytes[0], bytes[1]})
	say(Plain, words{
		"latency  p50 " + humanMicroseconds(t.P50), "p90 " + humanMicroseconds(t.P90), "p99 " + humanMicroseconds(t.P99),
		"cpu " + humanPercent(t.CPUPercent), humanCount(uint64(t.Connections)) + " conns", "restarts " + humanCount(t.Restarts),
	})
	return all
}

// also adds a rate where it is not nothing.
func also(text string, rate *float64) string {
	if value(rate) == 0 {
		return text
	}
	return text + " (" + perSecond(rate) + ")"
}

// words are parts of a line, of which the last go first where there is no room.
type words []string

func (w words) within(width int) string {
	text := w[0]
	for _, word := range w[1:] {
		if width > 0 && len(text)+3+len(word) > width {
			break
		}
		text += "   " + word
	}
	return text
}

// late is the silence of a living worker that somebody should look at, in seconds: it
// beats ten times in one.
const late = 2

func workers(d *Document) *grid {
	g := &grid{columns: []column{
		{head: "SLOT"},
		{head: "PID", least: 5},
		{head: "GEN", rank: 10},
		{head: "STATE", left: true},
		{head: "REQ/S", rank: 1, least: 6},
		{head: "CPU", rank: 2, least: 4},
		{head: "MEM", rank: 3, least: 8},
		{head: "CONN", rank: 4},
		{head: "P50", rank: 5, least: 6},
		{head: "P99", rank: 5, least: 6},
		{head: "5XX", rank: 7},
		{head: "RESTARTS", rank: 6},
		{head: "BEAT", rank: 8, least: 5},
		{head: "UP", rank: 9, least: 5},
		{head: "REQUESTS", rank: 11},
	}}
	for i := range d.Workers {
		w := &d.Workers[i]
		role, state := Plain, w.State
		switch {
		case !w.Alive:
			role = Alarm
		case w.HeartbeatAge > late:
			role, state = Alarm, "silent"
		case w.State != "ready":
			role = Notice
		}
		conn, memory, up := strconv.FormatInt(w.Connections, 10), humanBytes(float64(w.Memory)), humanSeconds(d.Time.Sub(w.StartedAt).Seconds())
		if !w.Alive {
			conn, up = none, none
		}
		if w.Memory == 0 { // gone, or not measured yet
			memory = none
		}
		g.add(role, strconv.Itoa(w.Slot), strconv.Itoa(w.PID), strconv.FormatUint(uint64(w.Generation), 10), state, humanRate(w.RequestsPerSecond), humanPercent(w.CPUPercent), memory,
			conn, humanMicroseconds(w.P50), humanMicroseconds(w.P99), humanCount(w.Failed), humanCount(w.Restarts),
			humanSeconds(w.HeartbeatAge), up, humanCount(w.Requests))
	}
	return g
}

// routeWidth is that of the longest route.
const routeWidth = len("/v1/keys/{key}/increment")

func routes(d *Document) *grid {
	g := &grid{columns: []column{
		{head: "ROUTE", left: true, least: routeWidth},
		{head: "REQ/S", rank: 1, least: 6},
		{head: "4XX/S", rank: 3, least: 6},
		{head: "5XX/S", rank: 3, least: 6},
		{head: "REQUESTS"},
		{head: "4XX", rank: 2, least: 6},
		{head: "5XX", rank: 2, least: 6},
	}}
	for i := range d.Routes {
		r := &d.Routes[i]
		role := Plain
		if value(r.FailedPerSecond) > 0 {
			role = Alarm
		}
		g.add(role, r.Route, humanRate(r.RequestsPerSecond), humanRate(r.RefusedPerSecond), humanRate(r.FailedPerSecond), humanCount(r.Requests), humanCount(r.Refused), humanCount(r.Failed))
	}
	return g
}

func shards(d *Document) *grid {
	g := &grid{columns: []column{
		{head: "HOTTEST SHARDS", left: true, least: routeWidth}, {head: "WRITES/S", rank: 1}, {head: "WAITS/S", rank: 1}, {head: "FILL", least: 5}, {head: "KEYS", rank: 2, least: 6},
	}}
	if d.Interval == nil {
		g.columns[1].head, g.columns[2].head = "WRITES", "WAITS"
	}
	for i := range d.Hottest {
		s := &d.Hottest[i]
		writes, waits := humanRate(s.WritesPerSecond), humanRate(s.LockWaitsPerSecond)
		if d.Interval == nil {
			writes, waits = humanCount(s.Writes), humanCount(s.LockWaits)
		}
		g.add(Plain, strconv.Itoa(s.Shard), writes, waits, humanPercent(&s.UsedPercent), humanCount(s.Keys))
	}
	return g
}

// section is a part of the table: the heads of its columns, and rows.
type section struct {
	rows  []Line
	least int // rows that it keeps, unless that is too many for all together
	noun  string
	room  int // lines of rows that it has, heads and an empty line before them apart
}

// share divides height among the sections, of which the first is the most important.
// One without rows, and one without room, is left out.
func share(all []section, height int, limited bool) []section {
	var kept []section
	for _, s := range all {
		if s.room = len(s.rows) - 1; s.room > 0 {
			kept = append(kept, s)
		}
	}
	if !limited {
		return kept
	}
	sum := func() (n int) {
		for _, s := range kept {
			n += s.room + 2
		}
		return n
	}
	for i := len(kept) - 1; i >= 0; i-- {
		kept[i].room -= min(max(sum()-height, 0), max(kept[i].room-kept[i].least, 0))
	}
	for len(kept) > 1 && sum() > height {
		kept = kept[:len(kept)-1]
	}
	for i := range kept { // what became free, to the most important
		kept[i].room += min(max(height-sum(), 0), len(kept[i].rows)-1-kept[i].room)
	}
	if over := sum() - height; len(kept) == 1 && over > 0 {
		kept[0].room = max(kept[0].room-over, 0)
	}
	return kept
}

// cut is what there is room for: what somebody should look at before the rest, in the
// order that it had. The last line tells what is left out.
func (s *section) cut() []Line {
	rows := s.rows[1:]
	switch {
	case len(rows) <= s.room:
		return s.rows
	case s.room == 0:
		return nil
	}
	urgent := func(role Role) bool { return role == Alarm || role == Notice }
	alarms := 0
	for _, row := range rows {
		if urgent(row.Role) {
			alarms++
		}
	}
	shown := []Line{s.rows[0]}
	others := max(s.room-1-alarms, 0)
	for _, row := range rows {
		if len(shown) == s.room {
			break
		}
		if !urgent(row.Role) {
			if others == 0 {
				continue
			}
			others--
		}
		shown = append(shown, row)
	}
	return append(shown, Line{fmt.Sprintf("... %d more %s", len(rows)-len(shown)+1, s.noun), Plain})
}
