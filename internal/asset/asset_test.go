package asset

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestForms(t *testing.T) {
	t.Parallel()
	text := []byte(strings.Repeat("all work and no play ", 100))
	packed := pack(text)
	for name, c := range map[string]struct {
		file     *File
		encoding string // of the compressed form
	}{
		"text":   {Text("text/plain", text), "gzip"},
		"packed": {Packed("text/plain", func() ([]byte, error) { return packed, nil }), "gzip"},
		"image":  {Image("image/png", func() ([]byte, error) { return text, nil }), ""},
	} {
		plain, small := c.file.Form(false), c.file.Form(true)
		if !bytes.Equal(plain.Body, text) || plain.Encoding != "" {
			t.Errorf("%s: %q %.30q", name, plain.Encoding, plain.Body)
		}
		if small.Encoding != c.encoding {
			t.Errorf("%s: %q", name, small.Encoding)
		}
		if c.encoding == "" {
			if small.Tag != plain.Tag {
				t.Errorf("%s: two tags for one form", name)
			}
			continue
		}
		reader, err := gzip.NewReader(bytes.NewReader(small.Body))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(reader); err != nil || !bytes.Equal(got, text) || len(small.Body) >= len(text) {
			t.Errorf("%s: %v, %d bytes", name, err, len(small.Body))
		}
		if small.Tag == plain.Tag || len(plain.Tag) != 34 || small.Tag != c.file.Form(true).Tag {
			t.Errorf("%s: tags %s and %s", name, plain.Tag, small.Tag)
		}
	}
}

// TestBroken: a file that is not what the program was built with is told at once.
func TestBroken(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]*File{
		"missing":  Image("image/png", func() ([]byte, error) { return nil, errors.New("missing") }),
		"not gzip": Packed("text/css", func() ([]byte, error) { return []byte("body{}"), nil }),
		"cut":      Packed("text/css", func() ([]byte, error) { return pack([]byte("body{}"))[:20], nil }),
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			file.Form(false)
		}()
	}
}
