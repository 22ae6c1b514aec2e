package e2e_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/fondue-server/fondue/internal/e2e"
)

// TestDocsPage: on the page of the documentation a person can send a request and
// see the count move, and nothing is fetched from anywhere else.
func TestDocsPage(t *testing.T) {
	b := startBrowser(t)
	s := e2e.Start(t, e2e.Options{Workers: 2})
	const (
		operation = chromedp.CSS("#operations-Counters-increment")
		execute   = operation + " button.execute"
		answer    = operation + " .live-responses-table .response-col_description .highlight-code code"
	)
	b.run("open the page", chromedp.Navigate("http://"+s.Addrs[0]+"/docs"), chromedp.WaitVisible(operation))
	b.shot("docs")
	b.run("open the operation", chromedp.Click(operation+" .opblock-summary-control"),
		chromedp.Click(operation+" .try-out__btn"), chromedp.WaitVisible(execute))
	for _, count := range []string{"1", "2"} {
		b.run("execute", chromedp.Click(execute))
		b.wait("the page shows "+count, fmt.Sprintf("document.querySelector(%q)?.textContent.replace(/\\s/g, '') === '{\"key\":\"count\",\"count\":%s}'", answer, count))
	}
	b.shot("docs-executed")
	s.Get("/count").WantStatus(200).WantBody("2")
	b.wantAlone(s.Addrs[0])
	s.Stop()
}
