package httpapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/fondue-server/fondue/internal/command"
	"github.com/fondue-server/fondue/internal/shm"
)

func (c *client) region() map[string]any {
	c.t.Helper()
	response, body := c.do("GET /v1/region", "", "")
	var got map[string]any
	if err := json.Unmarshal([]byte(body), &got); err != nil || response.StatusCode != 200 {
		c.t.Fatalf("%d %v %s", response.StatusCode, err, body)
	}
	return got
}

func TestRegion(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	before := c.region()
	names := strings.Fields("entries evict evictions expiries expiring free largest_value largest_value_any_key " +
		"lock_waits longest_hold_us longest_wait_us max_value recoveries shards size used worker_slots")
	if got := slices.Sorted(maps.Keys(before)); !slices.Equal(got, names) {
		t.Errorf("members %v", got)
	}
	c.do("PUT /v1/keys/a", "", `"`+strings.Repeat("x", 100000)+`"`)
	c.do("PUT /v1/keys/b?ttl=1h", "", "1")
	after := c.region()
	for name, want := range map[string]any{
		"size": float64(8 << 20), "worker_slots": 4.0, "max_value": float64(c.commands.MaxValue()), "evict": "none",
		"entries": 2.0, "expiring": 1.0, "evictions": 0.0, "expiries": 0.0, "recoveries": 0.0,
	} {
		if after[name] != want {
			t.Errorf("%s is %v, want %v", name, after[name], want)
		}
	}
	number := func(of map[string]any, name string) float64 { return of[name].(float64) }
	if used := number(after, "used") - number(before, "used"); used < 100000 || used != number(before, "free")-number(after, "free") {
		t.Errorf("100000 bytes stored use %v", used)
	}
	if number(after, "longest_hold_us") <= 0 || number(after, "shards") < 1 || number(after, "largest_value") < number(after, "largest_value_any_key") {
		t.Errorf("%v", after)
	}
	if response, body := c.do("GET /v1/region?x=1", "", ""); response.StatusCode != 400 {
		t.Errorf("%d %s", response.StatusCode, body)
	}
}

// TestFull: what needs room is refused and changes nothing, and counters go on.
func TestFull(t *testing.T) {
	t.Parallel()
	c := newClientOf(t, newCommandsOf(t, 2<<20, shm.Policy{}))
	value := `"` + strings.Repeat("x", 50000) + `"`
	c.do("PUT /v1/keys/n", "", "1")
	full := ""
	for i := 0; full == ""; i++ {
		line := fmt.Sprintf("PUT /v1/keys/k%d", i)
		switch response, body := c.do(line, "", value); {
		case response.StatusCode == 507:
			if detail := checkProblem(t, line, response, body); !strings.Contains(detail, "--region-size") {
				t.Error(detail)
			}
			full = fmt.Sprintf("k%d", i)
		case response.StatusCode != 201 || i > 1000:
			t.Fatalf("%s: %d %s", line, response.StatusCode, body)
		}
	}
	before := c.region()
	c.run([]step{
		{"PUT /v1/keys/" + full, "", value, 507, "the key is as it was"},
		{"PATCH /v1/keys/" + full, "", `{"a":` + value + `}`, 507, "the key is as it was"},
		{"GET /v1/keys/" + full, "", "", 404, "no such key"},
		{"POST /v1/keys/n/increment", "", "", 200, `{"key":"n","value":2}`},
		{"GET /increment?key=n", "", "", 200, `{"key":"n","count":3}`},
	})
	got := c.batch(`[{"op":"put","key":"` + full + `","value":` + value + `},{"op":"increment","key":"n"}]`)
	if got[0].Status != 507 || got[1].Status != 200 {
		t.Errorf("batch: %+v", got)
	}
	after := c.region()
	for _, name := range []string{"entries", "used", "free", "evictions"} {
		if before[name] != after[name] {
			t.Errorf("%s was %v, is %v", name, before[name], after[name])
		}
	}
	c.do("DELETE /v1/keys?prefix=k", "", "")
	if response, body := c.do("PUT /v1/keys/"+full, "", value); response.StatusCode != 201 {
		t.Errorf("after the deletes: %d %s", response.StatusCode, body)
	}
}

// TestEvicted: who makes others go is told how many, whatever the change was.
func TestEvicted(t *testing.T) {
	t.Parallel()
	c := newClientOf(t, newCommandsOf(t, 2<<20, shm.Policy{Evict: true}))
	value := `"` + strings.Repeat("x", 20000) + `"`
	told := map[string]int{}
	change := func(kind, line, body string) {
		t.Helper()
		response, text := c.do(line, "", body)
		if response.StatusCode > 201 {
			t.Fatalf("%.40s: %d %.200s", line, response.StatusCode, text)
		}
		if header := response.Header.Get("Fondue-Evicted"); header != "" {
			n, err := strconv.Atoi(header)
			if err != nil || n < 1 {
				t.Errorf("Fondue-Evicted: %q", header)
			}
			told[kind] += n
		}
	}
	for i := range 150 {
		change("put", fmt.Sprintf("PUT /v1/keys/a%d", i), value)
		change("patch", fmt.Sprintf("PATCH /v1/keys/b%d", i), value)
		change("batch", "POST /v1/batch", fmt.Sprintf(`[{"op":"put","key":"c%d","value":%s},{"op":"put","key":"d%[1]d","value":%[2]s}]`, i, value))
	}
	// A counter takes little room: it needs many of them, and long keys.
	for i := 0; i < 10000 && (told["increment"] == 0 || told["key"] == 0); i++ {
		change("increment", fmt.Sprintf("GET /increment?key=e%d%s", i, strings.Repeat("k", 500)), "")
		change("key", fmt.Sprintf("POST /v1/keys/f%d%s/increment", i, strings.Repeat("k", 500)), "")
	}
	sum := 0
	for _, n := range told {
		sum += n
	}
	got := c.region()
	if got["evict"] != "clock" || got["evictions"] != float64(sum) || len(told) != 5 {
		t.Errorf("told %v, counted %v", told, got["evictions"])
	}
}

// TestTryAgain: what others made impossible may be tried again.
func TestTryAgain(t *testing.T) {
	t.Parallel()
	api := New(newCommands(t), noFault(t))
	for _, err := range []error{command.ErrContended, shm.ErrLocked} {
		ctx, r := new(fasthttp.RequestCtx), new(request)
		r.begin(ctx)
		api.refuse(r, fmt.Errorf("k: %w", err))
		r.end()
		if got := string(ctx.Response.Header.Peek("Retry-After")); ctx.Response.StatusCode() != 503 || got != "1" {
			t.Errorf("%v: %d with Retry-After %q", err, ctx.Response.StatusCode(), got)
		}
	}
}
