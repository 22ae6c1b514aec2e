// Package asset holds files that the program brings along, in the forms in which
// they go over the wire, whatever the protocol: as they are, and compressed.
package asset

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"sync"
)

// File is one file. It never changes, and is safe for any number of goroutines.
// Most processes are never asked for most files: each form is made when it is
// first asked for, and kept.
type File struct {
	Type   string // the media type
	Policy string // the Content-Security-Policy of a page; "" for anything else

	plain, packed func() Form
}

// Form is a file as it goes over the wire. Nobody may write to Body.
type Form struct {
	Body     []byte
	Encoding string // the content coding; "" for none
	Tag      string // a strong entity tag with its quotes; each form has its own
}

// Text returns a file that compresses well.
func Text(mediaType string, text []byte) *File {
	return &File{
		Type:   mediaType,
		plain:  sync.OnceValue(func() Form { return newForm(text, "") }),
		packed: sync.OnceValue(func() Form { return newForm(pack(text), codingGzip) }),
	}
}

// Page returns a page that a browser opens, with its Content-Security-Policy.
func Page(html []byte, policy string) *File {
	page := Text("text/html; charset=utf-8", html)
	page.Policy = policy
	return page
}

// Packed returns a file that read gives compressed by gzip. It must be whole:
// what is not is a mistake in the build, and panics at its first use.
func Packed(mediaType string, read func() ([]byte, error)) *File {
	packed := sync.OnceValue(func() Form { return newForm(must(read()), codingGzip) })
	return &File{
		Type:   mediaType,
		packed: packed,
		plain: sync.OnceValue(func() Form {
			reader := must(gzip.NewReader(bytes.NewReader(packed().Body)))
			return newForm(must(io.ReadAll(reader)), "")
		}),
	}
}

// Image returns a file whose format is compressed already.
func Image(mediaType string, read func() ([]byte, error)) *File {
	plain := sync.OnceValue(func() Form { return newForm(must(read()), "") })
	return &File{Type: mediaType, plain: plain, packed: plain}
}

// Form returns the compressed form of the file where there is one and the client
// takes it.
func (f *File) Form(takesGzip bool) Form {
	if takesGzip {
		return f.packed()
	}
	return f.plain()
}

const codingGzip = "gzip"

func newForm(body []byte, encoding string) Form {
	sum := sha256.Sum256(body)
	return Form{Body: body, Encoding: encoding, Tag: `"` + hex.EncodeToString(sum[:16]) + `"`}
}

func pack(text []byte) []byte {
	var packed bytes.Buffer
	writer := must(gzip.NewWriterLevel(&packed, gzip.BestCompression))
	must(writer.Write(text)) // into memory
	if err := writer.Close(); err != nil {
		panic(err)
	}
	return packed.Bytes()
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
