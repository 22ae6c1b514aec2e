package metrics

import (
	"math"
	"strconv"
)

// Format is how metrics are written.
type Format uint8

// The formats that a scraper may ask for.
const (
	Text        Format = iota // Prometheus' own, 0.0.4
	OpenMetrics               // 1.0.0
)

// ContentType is the media type of a format.
func (f Format) ContentType() string {
	if f == OpenMetrics {
		return "application/openmetrics-text; version=1.0.0; charset=utf-8"
	}
	return "text/plain; version=0.0.4; charset=utf-8"
}

// page is what is written so far. Names and labels are this package's own: they need
// no escaping.
type page struct {
	text   []byte
	format Format
	name   string // of the family under way
	suffix string // of its samples: _total of a counter
}

// family begins one. The unit, which may be "", is the end of the name.
func (p *page) family(name, kind, unit, help string) {
	p.name, p.suffix = name, ""
	described := name
	if kind == "counter" {
		p.suffix = "_total"
		if p.format == Text { // where the name is that of the samples
			described += p.suffix
		}
	}
	p.say("# HELP ", described, " ", help, "\n# TYPE ", described, " ", kind, "\n")
	if p.format == OpenMetrics && unit != "" {
		p.say("# UNIT ", described, " ", unit, "\n")
	}
}

// sample writes one of the family, with pairs of a label's name and value.
func (p *page) sample(value float64, labels ...string) { p.part(p.suffix, value, labels...) }

// count writes a whole number, exactly.
func (p *page) count(value uint64, labels ...string) {
	p.head(p.suffix, labels)
	p.text = strconv.AppendUint(p.text, value, 10)
	p.text = append(p.text, '\n')
}

// part writes a sample that has an ending of its own.
func (p *page) part(suffix string, value float64, labels ...string) {
	p.head(suffix, labels)
	p.text = appendFloat(p.text, value)
	p.text = append(p.text, '\n')
}

func (p *page) head(suffix string, labels []string) {
	p.say(p.name, suffix)
	for i := 0; i+1 < len(labels); i += 2 {
		separator := ","
		if i == 0 {
			separator = "{"
		}
		p.say(separator, labels[i], `="`, labels[i+1], `"`)
	}
	if len(labels) > 0 {
		p.say("}")
	}
	p.say(" ")
}

// bound is a bucket's upper end in seconds, as its label has it. OpenMetrics wants a
// number that is known to be no integer.
func (p *page) bound(seconds float64) string {
	text := string(appendFloat(nil, seconds))
	if p.format == OpenMetrics && seconds == math.Trunc(seconds) && !math.IsInf(seconds, 0) {
		text += ".0"
	}
	return text
}

func (p *page) say(words ...string) {
	for _, word := range words {
		p.text = append(p.text, word...)
	}
}

func appendFloat(dst []byte, v float64) []byte {
	if math.IsInf(v, 1) {
		return append(dst, "+Inf"...)
	}
	return strconv.AppendFloat(dst, v, 'g', -1, 64)
}
