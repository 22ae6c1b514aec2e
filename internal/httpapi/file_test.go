package httpapi

import (
	"compress/gzip"
	"io"
	"mime"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fondue-server/fondue/internal/apidoc"
)

// unpacked is the body without its content coding.
func unpacked(t testing.TB, response *http.Response, body string) string {
	t.Helper()
	switch coding := response.Header.Get("Content-Encoding"); coding {
	case "":
		return body
	case "gzip":
		reader, err := gzip.NewReader(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	default:
		t.Fatalf("Content-Encoding %q", coding)
		return ""
	}
}

// pageFiles are those that the pages name, and the pages and the document.
func pageFiles(t *testing.T, c *client) []string {
	t.Helper()
	_, page := c.do("GET /docs", "", "")
	files := []string{"/openapi.json", "/docs"}
	for _, match := range regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		files = append(files, "/"+match[1])
	}
	if len(files) != 6 {
		t.Fatalf("files of the page: %q", files)
	}
	files = append(files, "/")
	for _, name := range readDescription(t).at("components", "parameters", "dashboardFile", "schema", "enum").list() {
		files = append(files, "/ui/"+name.text())
	}
	return files
}

func TestPageFiles(t *testing.T) {
	t.Parallel()
	d, c := readDescription(t), newClient(t)
	files := pageFiles(t, c)
	for _, name := range d.at("components", "parameters", "file", "schema", "enum").list() {
		if !slices.Contains(files, "/docs/"+name.text()) || apidoc.File([]byte(name.text())) == nil {
			t.Errorf("%s is described, and not of the page", name.text())
		}
	}
	for _, file := range files {
		plain, text := c.do("GET "+file, "", "")
		packed, small := c.do("GET "+file, "Accept-Encoding: gzip, deflate, br\r\n", "")
		if plain.StatusCode != 200 || packed.StatusCode != 200 || len(text) < 100 {
			t.Fatalf("%s: %d, %d, %d bytes", file, plain.StatusCode, packed.StatusCode, len(text))
		}
		if unpacked(t, packed, small) != text || plain.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: compressed it is another", file)
		}
		if isText := !strings.HasSuffix(file, ".png"); isText != (len(small) < len(text)) || isText == (plain.Header.Get("ETag") == packed.Header.Get("ETag")) {
			t.Errorf("%s: %d bytes, compressed %d; tags %s and %s", file, len(text), len(small), plain.Header.Get("ETag"), packed.Header.Get("ETag"))
		}
		if file != "/docs" && file != "/" {
			want, _, _ := mime.ParseMediaType(mime.TypeByExtension(path.Ext(file)))
			if got, _, err := mime.ParseMediaType(plain.Header.Get("Content-Type")); got != want || err != nil {
				t.Errorf("%s: Content-Type %q, want %s", file, got, want)
			}
		}
		for _, r := range []*http.Response{plain, packed} {
			accepts := ""
			if r == packed {
				accepts = "Accept-Encoding: gzip\r\n"
			}
			tag := r.Header.Get("ETag")
			for header, status := range map[string]int{
				tag: 304, "W/" + tag: 304, `"0", ` + tag: 304, `"0",` + tag + `,"1"`: 304, "\"0\"\r\nIf-None-Match: " + tag: 304, "*": 304,
				`"0"`: 200, `W/"0"`: 200, strings.Trim(tag, `"`): 400,
			} {
				for _, method := range []string{"GET", "HEAD"} {
					again, body := c.do(method+" "+file, accepts+"If-None-Match: "+header+"\r\n", "")
					if again.StatusCode != status || status < 400 && again.Header.Get("ETag") != tag || status == 304 && body != "" {
						t.Errorf("%s %s, If-None-Match: %s: %d %s", method, file, header, again.StatusCode, again.Header.Get("ETag"))
					}
					if method == "HEAD" && status == 200 && again.ContentLength != r.ContentLength {
						t.Errorf("HEAD %s: %d bytes, GET %d", file, again.ContentLength, r.ContentLength)
					}
				}
			}
		}
		if response, body := c.do("GET "+file+"?v=1", "", ""); response.StatusCode != 200 {
			t.Errorf("%s?v=1: %d %.100s", file, response.StatusCode, body)
		}
	}
}

func TestCoding(t *testing.T) {
	t.Parallel()
	for header, packed := range map[string]bool{
		"": false, "gzip": true, "GZIP": true, "x-gzip": true, "br, gzip;q=0.5": true, "gzip;q=0.001": true, "*": true, "br, *;q=0.1": true,
		"deflate, br": false, "identity": false, "gzip;q=0": false, "gzip ; q=0.000": false, "gzip;q=0, *": false, "*;q=0": false, "*;q=0, gzip": true, "gzip;q=0.": false, "gzip;q=0.0000": false,
		"gzipped": false, "br\r\nAccept-Encoding: gzip": true,
	} {
		response, _ := newClient(t).do("GET /docs", "Accept-Encoding: "+header+"\r\n", "")
		if got := response.Header.Get("Content-Encoding"); (got == "gzip") != packed || response.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%q: Content-Encoding %q, Vary %q", header, got, response.Header.Get("Vary"))
		}
	}
}

// TestPageIsAlone: neither the page nor its style asks another server, the policy
// would not let them, and no script of the page itself is within it.
func TestPageIsAlone(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	response, page := c.do("GET /docs", "", "")
	for directive := range strings.SplitSeq(response.Header.Get("Content-Security-Policy"), "; ") {
		words := strings.Fields(directive)
		for _, source := range words[1:] {
			if !slices.Contains([]string{"'self'", "'none'", "data:", "'unsafe-inline'"}, source) ||
				source == "'unsafe-inline'" && words[0] != "style-src" || source == "data:" && words[0] != "img-src" {
				t.Errorf("policy: %s", directive)
			}
		}
	}
	if !strings.HasPrefix(response.Header.Get("Content-Security-Policy"), "default-src 'none'; ") {
		t.Errorf("policy: %s", response.Header.Get("Content-Security-Policy"))
	}
	_, script := c.do("GET /docs/docs.js", "", "")
	_, style := c.do("GET /docs/swagger-ui.css", "", "")
	for name, text := range map[string]string{"the page": page, "its script": script} {
		if strings.Contains(text, "//") && name == "the page" || strings.Contains(text, "://") || strings.Contains(text, "<script>") {
			t.Errorf("%s names another server, or has a script in it", name)
		}
	}
	for _, match := range regexp.MustCompile(`url\(\s*["']?([^)]{0,20})|@import`).FindAllStringSubmatch(style, -1) {
		if !strings.HasPrefix(match[1], "data:") {
			t.Errorf("the style refers to %s", match[0])
		}
	}
	if !strings.Contains(script, "validatorUrl: null") {
		t.Error("the script leaves it to Swagger UI whom to ask whether the document is valid")
	}
}
