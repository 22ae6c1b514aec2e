package metrics

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
)

// written is what a query may ask for: by the name of a sample, each of its labels
// with the values that it has.
type written map[string]map[string][]string

// targetLabels are added by Prometheus: by itself, and as deploy/prometheus has them.
var targetLabels = []string{"job", "instance", "evictions"}

func samplesWritten(t *testing.T) written {
	t.Helper()
	snapshot := Take(busy(t))
	w := written{}
	for name, family := range parse(t, snapshot.Append(nil, Text)) {
		labels := map[string][]string{}
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = append(labels[l.GetName()], l.GetValue())
			}
		}
		if family.GetType() != dto.MetricType_HISTOGRAM {
			w[name] = labels
			continue
		}
		w[name+"_sum"], w[name+"_count"] = labels, labels
		w[name+"_bucket"] = map[string][]string{"le": nil} // of all values
	}
	return w
}

var (
	// A selector has no brace in it but within quotes: a route has some.
	selectors  = regexp.MustCompile(`(fondue_[a-z0-9_]+)(\{(?:[^"}]|"[^"]*")*\})?`)
	matchers   = regexp.MustCompile(`([a-z_]+)\s*(=~|!~|!=|=)\s*"([^"]*)"`)
	aggregates = regexp.MustCompile(`\b(?:by|without|on|ignoring)\s*\(([^)]*)\)`)
)

// missing has the names of the metrics that an expression asks for, and what it asks
// for that is not written.
func (w written) missing(expr string) (names, problems []string) {
	every := slices.Clone(targetLabels)
	for _, found := range selectors.FindAllStringSubmatch(expr, -1) {
		labels, is := w[found[1]]
		if !is {
			problems = append(problems, "no metric "+found[1])
			continue
		}
		names = append(names, found[1])
		for label := range labels {
			every = append(every, label)
		}
		for _, m := range matchers.FindAllStringSubmatch(found[2], -1) {
			problems = append(problems, match(found[1], labels, m[1], m[2], m[3])...)
		}
	}
	for _, list := range aggregates.FindAllStringSubmatch(expr, -1) {
		for label := range strings.SplitSeq(list[1], ",") {
			if label = strings.TrimSpace(label); !slices.Contains(every, label) {
				problems = append(problems, "no label "+label+" to aggregate by")
			}
		}
	}
	return names, problems
}

// match says what is wrong with a matcher of a label.
func match(metric string, labels map[string][]string, label, op, value string) []string {
	values, is := labels[label]
	switch {
	case slices.Contains(targetLabels, label):
	case !is:
		return []string{fmt.Sprintf("%s has no label %s", metric, label)}
	case strings.HasPrefix(op, "=") && !strings.Contains(op, "~") || op == "!=":
		if values != nil && !slices.Contains(values, value) {
			return []string{fmt.Sprintf("%s has no %s=%q", metric, label, value)}
		}
	default:
		for alternative := range strings.SplitSeq(value, "|") {
			re, err := regexp.Compile("^(?:" + alternative + ")$")
			if err != nil || !slices.ContainsFunc(values, re.MatchString) {
				return []string{fmt.Sprintf("%s has no %s that is like %q", metric, label, alternative)}
			}
		}
	}
	return nil
}

// TestMissing: the test of the queries can fail.
func TestMissing(t *testing.T) {
	t.Parallel()
	w := samplesWritten(t)
	for expr, problems := range map[string]int{
		`up{job="fondue"} == 0`: 0,
		`sum by (route) (rate(fondue_http_requests_total{code="5xx", route!~"/healthz|/v1/keys/{key}"}[5m]))`: 0,
		`sum without (slot, job) (fondue_worker_restarts_total)`:                                              0,
		`histogram_quantile(0.9, sum by (le) (fondue_http_request_duration_seconds_bucket))`:                  0,
		`fondue_http_requests > 1 and fondue_keys_total > 1`:                                                  2, // OpenMetrics' name; none's
		`fondue_http_request_duration_seconds > 1`:                                                            1,
		`fondue_http_requests_total{code="500"}`:                                                              1,
		`fondue_http_requests_total{code!="500"}`:                                                             1,
		`fondue_http_requests_total{route=~"/healthz|/nowhere"}`:                                              1,
		`fondue_http_requests_total{status="5xx"}`:                                                            1,
		`sum by (shard) (fondue_keys)`:                                                                        1,
	} {
		if _, found := w.missing(expr); len(found) != problems {
			t.Errorf("%s: %q, want %d problems", expr, found, problems)
		}
	}
}
