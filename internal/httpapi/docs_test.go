package httpapi

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestDocumentedExamples: each curl command in the documents, in their order,
// gets the answer that is below it.
func TestDocumentedExamples(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"README.md", "docs/http.md"} {
		text, err := os.ReadFile("../../" + name)
		if err != nil {
			t.Fatal(err)
		}
		e := example{client: newClient(t), etag: `"0"`}
		compared := 0
		for paragraph := range strings.SplitSeq(string(text), "\n\n") {
			if strings.Contains(paragraph, "$ bin/fondue") {
				continue // examples of a server that was started otherwise
			}
			lines := strings.Split(paragraph, "\n")
			for i, line := range lines {
				command, found := strings.CutPrefix(line, "    $ curl ")
				if !found {
					continue
				}
				answer := e.curl(command)
				if i+1 == len(lines) || strings.HasPrefix(lines[i+1], "    $ ") {
					continue // none is shown
				}
				compared++
				if want := strings.TrimPrefix(lines[i+1], "    "); inExample(answer) != inExample(want) {
					t.Errorf("%s: %s\n got %s\nwant %s", name, line, answer, want)
				}
			}
		}
		if compared < 15 {
			t.Errorf("%s: %d examples", name, compared)
		}
	}
}

var (
	processID = regexp.MustCompile(`"current_process_id":[0-9]+`)
	version   = regexp.MustCompile(`"[0-9a-f]{16}(-[0-9]+-[0-9]+)?"`)
)

// inExample replaces what is another at each run.
func inExample(answer string) string {
	return version.ReplaceAllString(processID.ReplaceAllString(answer, `"current_process_id":0`), `"version"`)
}

// example sends what is written for curl and a shell. An entity tag in it
// stands for the last that was answered.
type example struct {
	*client
	etag string
}

// shellWord is a word in double or in single quotes, or one without.
var shellWord = regexp.MustCompile(`"([^"]*)"|'([^']*)'|([^ ]+)`)

func (e *example) curl(command string) string {
	command, filter, _ := strings.Cut(command, " | ")
	command, _, _ = strings.Cut(command, "  # ")
	method, target, header, body := "", "", "", ""
	next := ""
	for _, match := range shellWord.FindAllStringSubmatch(command, -1) {
		word := match[1] + match[2] + match[3]
		switch {
		case next == "-X":
			method = word
		case next == "-d":
			body = word
		case next == "-H":
			header += version.ReplaceAllString(word, e.etag) + "\r\n"
		case word == "-X", word == "-d", word == "-H":
			next = word
			continue
		case !strings.HasPrefix(word, "-"):
			target = strings.TrimPrefix(word, "localhost:8000")
		}
		next = ""
	}
	if method == "" {
		method = "GET"
		if body != "" {
			method = "POST"
		}
	}
	response, answer := e.do(method+" "+target, header, body)
	if tag := response.Header.Get("ETag"); tag != "" {
		e.etag = tag
	}
	if filter == "grep -i etag" {
		return "ETag: " + e.etag
	}
	return answer
}
