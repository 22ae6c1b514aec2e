package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

const (
	browserStartLimit = 60 * time.Second // of the first start on a busy machine
	browserLimit      = 30 * time.Second // of what a page does
)

// browser is one page of a headless browser with a profile of its own, which ends
// with the test.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	requests []string // the addresses that pages asked for
	problems []string // what pages complained about: errors, refusals by a policy
}

// startBrowser starts a browser, or skips the test where there is none.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	program := browserProgram()
	if program == "" {
		t.Skip("no chromium, chromium-browser, google-chrome or chrome-headless-shell in PATH; apt-get install chromium")
	}
	// What it keeps outside its profile would stay: it is ended, and does not clean up.
	dir := t.TempDir()
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(program), chromedp.UserDataDir(dir+"/profile"), chromedp.Env("TMPDIR="+dir), chromedp.WindowSize(1280, 1600),
		chromedp.Flag("disable-gpu", true), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.WSURLReadTimeout(browserStartLimit))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // root has none; the pages are our own
	}
	ctx, end := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(end)
	b := &browser{t: t}
	ctx, closePage := chromedp.NewContext(ctx)
	t.Cleanup(closePage)
	b.ctx = ctx
	// What comes first starts the browser, which ends with this context: no time limit.
	err := chromedp.Listen(ctx, b.listen)
	if err == nil {
		_, err = chromedp.Call(ctx, network.Enable, network.EnableParams{})
	}
	if err == nil {
		_, err = chromedp.Call(ctx, log.Enable, cdp.Empty{})
	}
	if err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	return b
}

func browserProgram() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome-headless-shell"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// listen is called by the one goroutine that reads events.
func (b *browser) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	case *network.EventWebSocketCreated:
		b.requests = append(b.requests, e.URL)
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			b.problems = append(b.problems, fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	case *runtime.EventExceptionThrown:
		b.problems = append(b.problems, fmt.Sprintf("%s:%d: %s", e.ExceptionDetails.URL, e.ExceptionDetails.LineNumber+1, e.ExceptionDetails.Text))
	}
}

// run does what is asked, one after another, and fails the test if that is not
// possible in time.
func (b *browser) run(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, browserLimit)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.fail(what, err)
	}
}

// wait waits until an expression of JavaScript is true. It is asked again and
// again from outside: a page with a policy cannot be made to ask itself.
func (b *browser) wait(what, expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, browserLimit)
	defer cancel()
	for {
		is, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
		if err == nil && is {
			return
		}
		select {
		case <-ctx.Done():
			b.fail(what, errors.Join(ctx.Err(), err))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (b *browser) fail(what string, err error) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Second)
	defer cancel()
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText")) // for the message
	b.mu.Lock()
	defer b.mu.Unlock()
	b.t.Fatalf("%s: %v; problems %q; the page says:\n%.3000s", what, err, b.problems, text)
}

// wantAlone asserts that pages asked nobody but the server at an address, and that
// nothing went wrong in them.
func (b *browser) wantAlone(addr string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	asked := 0
	for _, request := range b.requests {
		u, err := url.Parse(request)
		switch {
		case err == nil && u.Scheme == "http" && u.Host == addr:
			asked++
		case err == nil && (u.Scheme == "data" || u.Scheme == "blob" || u.Scheme == "about"):
		default:
			b.t.Errorf("a page asked for %s", request)
		}
	}
	if asked == 0 {
		b.t.Errorf("no request to %s was seen among %q", addr, b.requests)
	}
	for _, problem := range b.problems {
		b.t.Errorf("in the page: %s", problem)
	}
}

// shot writes a picture of the page where FONDUE_SHOTS names a directory.
func (b *browser) shot(name string) {
	b.t.Helper()
	dir := os.Getenv("FONDUE_SHOTS")
	if dir == "" {
		return
	}
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/"+name+".png", picture, 0o644); err != nil {
		b.t.Fatal(err)
	}
}
