package dashboard

import (
	"regexp"
	"strings"
	"testing"
)

// TestFiles: what the page and its scripts name is there, and nothing else is.
func TestFiles(t *testing.T) {
	t.Parallel()
	named := map[string]bool{}
	for _, match := range regexp.MustCompile(`(?:src|href)="ui/([^"]+)"`).FindAllSubmatch(index, -1) {
		named[string(match[1])] = true
	}
	for _, match := range regexp.MustCompile(`from "\./([^"]+)"`).FindAllSubmatch(script, -1) {
		named[string(match[1])] = true
	}
	for name := range named {
		if File([]byte(name)) == nil {
			t.Errorf("ui/%s is named, and not there", name)
		}
	}
	if len(named) != len(files) || File([]byte("index.html")) != nil || File(nil) != nil {
		t.Errorf("named are %v, of %d files", named, len(files))
	}
}

// TestSize: the page is small on the wire.
func TestSize(t *testing.T) {
	t.Parallel()
	const most = 15 << 10
	sum := len(Page.Form(true).Body)
	for _, f := range files {
		sum += len(f.Form(true).Body)
	}
	t.Logf("%d bytes, compressed", sum)
	if sum > most {
		t.Errorf("the page and its files are %d bytes, compressed; want at most %d", sum, most)
	}
}

// TestAlone: no file names another origin, and none makes markup of text or has
// script or style where the policy would refuse it.
func TestAlone(t *testing.T) {
	t.Parallel()
	namespace := `xmlns="http://www.w3.org/2000/svg"` // a name, which nobody asks for
	for name, text := range map[string][]byte{"index.html": index, "dashboard.css": style, "dashboard.js": script, "figures.js": figures, "icon.svg": icon} {
		rest := strings.ReplaceAll(string(text), namespace, "")
		for _, bad := range []string{
			"://", "@import", "url(", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function",
			"<script>", "<style", " style=", "onclick", "onload", "onerror", `src="//`, `href="//`, `href="/`, `src="/`,
		} {
			if strings.Contains(rest, bad) {
				t.Errorf("%s has %q in it", name, bad)
			}
		}
	}
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	for _, directive := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' data:"} {
		if !strings.Contains(Page.Policy+";", directive+";") {
			t.Errorf("no %s in %s", directive, Page.Policy)
		}
	}
	for _, source := range []string{"unsafe", "*", "http", "blob:"} {
		if strings.Contains(Page.Policy, source) {
			t.Errorf("%s in %s", source, Page.Policy)
		}
	}
}
