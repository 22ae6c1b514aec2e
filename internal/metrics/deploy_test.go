package metrics

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	deployed   = "../../deploy/"
	operations = "../../docs/operations.md"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// rule is one alert, as it is written in the file of alerts: not all that YAML allows.
type rule struct{ name, text string }

func (r rule) has(key string) string {
	_, rest, _ := strings.Cut(r.text, "\n"+key+": ")
	line, _, _ := strings.Cut(rest, "\n")
	return line
}

func alerts(t *testing.T) (all []rule) {
	t.Helper()
	indent := regexp.MustCompile(`(?m)^ +`)
	blocks := strings.Split(read(t, deployed+"prometheus/alerts.yml"), "- alert: ")
	for _, block := range blocks[1:] {
		name, _, _ := strings.Cut(block, "\n")
		all = append(all, rule{name, indent.ReplaceAllString(block, "")})
	}
	if len(all) < 10 {
		t.Fatalf("%d alerts", len(all))
	}
	return all
}

// TestAlerts: an alert asks for what is written, says what is to be done, and is tried.
func TestAlerts(t *testing.T) {
	t.Parallel()
	w, tried := samplesWritten(t), read(t, deployed+"prometheus/alerts_test.yml")
	manual := headings(read(t, operations))
	names := map[string]bool{}
	for _, a := range alerts(t) {
		if names[a.name] {
			t.Errorf("%s is there twice", a.name)
		}
		names[a.name] = true
		if asks, problems := w.missing(a.text); len(problems) > 0 || len(asks) == 0 && !strings.Contains(a.text, "up{") {
			t.Errorf("%s: asks for %q: %q", a.name, asks, problems)
		}
		for _, key := range []string{"for", "summary", "description"} {
			if a.has(key) == "" {
				t.Errorf("%s has no %s", a.name, key)
			}
		}
		if severity := a.has("severity"); !slices.Contains([]string{"info", "warning", "critical"}, severity) {
			t.Errorf("%s has severity %q", a.name, severity)
		}
		anchor := strings.ToLower(a.name)
		if !strings.HasSuffix(a.has("runbook_url"), "/docs/operations.md#"+anchor) {
			t.Errorf("%s: %s does not lead to what to do about it", a.name, a.has("runbook_url"))
		}
		if !slices.Contains(manual, anchor) {
			t.Errorf("%s: docs/operations.md does not say what to do", a.name)
		}
		if !strings.Contains(tried, `alertname="`+a.name+`",alertstate="firing"`) {
			t.Errorf("%s: no series has it fire in alerts_test.yml", a.name)
		}
	}
	for _, anchor := range manual {
		if strings.HasPrefix(anchor, "fondue") && !slices.ContainsFunc(alerts(t), func(a rule) bool { return strings.ToLower(a.name) == anchor }) {
			t.Errorf("docs/operations.md has a heading for %s, which is no alert", anchor)
		}
	}
	for _, found := range regexp.MustCompile(`series: '([^']*)'`).FindAllStringSubmatch(tried, -1) {
		asks, problems := w.missing(found[1])
		problems = slices.DeleteFunc(problems, func(p string) bool { return strings.Contains(p, " slot=") })
		if len(problems) > 0 || len(asks) == 0 && !strings.HasPrefix(found[1], "up{") {
			t.Errorf("alerts_test.yml: %s: %q", found[1], problems)
		}
	}
}

// TestConnectionLimit: the bound of an alert is a share of what the unit allows.
func TestConnectionLimit(t *testing.T) {
	t.Parallel()
	limit := regexp.MustCompile(`(?m)^LimitNOFILE=([0-9]+)$`).FindStringSubmatch(read(t, deployed+"fondue.service"))
	if limit == nil || !strings.Contains(read(t, deployed+"prometheus/alerts.yml"), "fondue_worker_connections > 0.8 * "+limit[1]+"\n") {
		t.Errorf("FondueConnectionsNearLimit does not go by LimitNOFILE %v of fondue.service", limit)
	}
}

// headings are the anchors of a document's headings.
func headings(document string) (anchors []string) {
	for _, found := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(document, -1) {
		anchor := regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(found[1]), "")
		anchors = append(anchors, strings.ReplaceAll(anchor, " ", "-"))
	}
	return anchors
}

// dashboard is of Grafana's model what is looked at.
type dashboard struct {
	UID           string
	Title         string
	SchemaVersion int
	Templating    struct {
		List []struct{ Name, Type, Definition string }
	}
	Annotations struct {
		List []struct{ Name, Expr string }
	}
	Panels []panel
}

type panel struct {
	ID          int
	Type, Title string
	GridPos     struct{ H, W, X, Y int }
	Datasource  struct{ UID string }
	FieldConfig struct{ Defaults struct{ Unit string } }
	Options     struct {
		Content string
		YAxis   struct{ Unit string }
	}
	Targets []struct{ RefID, Expr string }
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	if err := json.Unmarshal([]byte(read(t, deployed+"grafana/fondue.json")), &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Panels) < 20 {
		t.Fatalf("%d panels", len(d.Panels))
	}
	return d
}

// expressions are all queries of a dashboard, by where they are.
func (d *dashboard) expressions() map[string]string {
	all := map[string]string{}
	for _, v := range d.Templating.List {
		if v.Type == "query" {
			all["variable "+v.Name] = v.Definition
		}
	}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			all[fmt.Sprintf("panel %d, %s, %s", p.ID, p.Title, target.RefID)] = target.Expr
		}
	}
	return all
}

// TestDashboard: it asks for what is written and for all of it, through the data source
// that the user picks, with units, and no panel lies on another.
func TestDashboard(t *testing.T) {
	t.Parallel()
	w, d := samplesWritten(t), readDashboard(t)
	shown := map[string]bool{}
	for where, expr := range d.expressions() {
		asks, problems := w.missing(expr)
		if len(asks) == 0 || len(problems) > 0 {
			t.Errorf("%s: %s: %q", where, expr, problems)
		}
		for _, name := range asks {
			shown[name] = true
		}
	}
	for name := range w {
		if !shown[name] {
			t.Errorf("%s is in no panel", name)
		}
	}
	for _, name := range []string{"datasource", "job", "instance"} {
		if !slices.ContainsFunc(d.Templating.List, func(v struct{ Name, Type, Definition string }) bool { return v.Name == name }) {
			t.Errorf("no variable %s", name)
		}
	}
	ids, taken := map[int]string{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if other := ids[p.ID]; other != "" || p.ID == 0 {
			t.Errorf("%q and %q have the number %d", p.Title, other, p.ID)
		}
		ids[p.ID] = p.Title + " "
		g := p.GridPos
		if g.X < 0 || g.X+g.W > 24 || g.W < 1 || g.H < 1 {
			t.Errorf("%q is at %+v, outside of 24 columns", p.Title, g)
		}
		for y := g.Y; y < g.Y+g.H; y++ {
			for x := g.X; x < g.X+g.W; x++ {
				if other, is := taken[[2]int{x, y}]; is {
					t.Fatalf("%q lies on %q", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" || p.Type == "text" {
			continue
		}
		if p.Title == "" || p.FieldConfig.Defaults.Unit == "" || p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
			t.Errorf("panel %d, %q: unit %q, data source %q, %d queries", p.ID, p.Title, p.FieldConfig.Defaults.Unit, p.Datasource.UID, len(p.Targets))
		}
		for _, target := range p.Targets {
			if !strings.Contains(target.Expr, `instance="$instance"`) {
				t.Errorf("%q: %s is not of one server", p.Title, target.Expr)
			}
		}
	}
}

// TestLinksOfTheDashboard: what it links to is there.
func TestLinksOfTheDashboard(t *testing.T) {
	t.Parallel()
	links := 0
	for _, p := range readDashboard(t).Panels {
		for _, found := range regexp.MustCompile(`/blob/main/([a-z/.]+)(?:#([a-z-]+))?\)`).FindAllStringSubmatch(p.Options.Content, -1) {
			links++
			if anchors := headings(read(t, "../../"+found[1])); found[2] != "" && !slices.Contains(anchors, found[2]) {
				t.Errorf("%s has no heading %s", found[1], found[2])
			}
		}
	}
	if links < 4 {
		t.Errorf("%d links to the documents", links)
	}
}

// TestPromtool has the reference implementation check the configuration and the alerts,
// let them fire and stay silent, and read each query of the dashboard.
func TestPromtool(t *testing.T) {
	t.Parallel()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skipf("promtool is not there, and the alerts are not tried; apt-get install prometheus: %v", err)
	}
	d := readDashboard(t)
	var rules strings.Builder
	rules.WriteString("groups:\n- name: dashboard\n  rules:\n")
	standIns := strings.NewReplacer("$__rate_interval", "5m", "$job", "fondue", "$instance", "127.0.0.1:8000")
	n := 0
	for where, expr := range d.expressions() {
		if strings.HasPrefix(where, "variable ") {
			continue // label_values is Grafana's own
		}
		n++
		quoted, err := json.Marshal(standIns.Replace(expr))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&rules, "  - record: panel:%d\n    expr: %s\n", n, quoted)
	}
	path := filepath.Join(t.TempDir(), "dashboard.yml")
	if err := os.WriteFile(path, []byte(rules.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"check", "config", deployed + "prometheus/prometheus.yml"},
		{"check", "rules", deployed + "prometheus/alerts.yml"},
		{"test", "rules", deployed + "prometheus/alerts_test.yml"},
		{"check", "rules", path},
	} {
		if out, err := exec.Command(promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}
