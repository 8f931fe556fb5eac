package handlers

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// A client may take a minute for each piece of a list.
const arrivingPiece = 64 << 10

// arriving is the body of an upload. It moves the deadlines while the body
// comes, and remembers why that ended before its end.
type arriving struct {
	body   io.ReadCloser
	w      http.ResponseWriter
	since  int // bytes since the deadlines were moved
	begun  bool
	failed error
}

func (a *arriving) Read(p []byte) (int, error) {
	if !a.begun || a.since >= arrivingPiece {
		a.begun, a.since = true, 0
		if err := moveDeadlines(a.w); err != nil {
			return 0, err
		}
	}
	n, err := a.body.Read(p)
	a.since += n
	return n, a.note(err)
}

func (a *arriving) note(err error) error {
	if err != nil && err != io.EOF && a.failed == nil {
		a.failed = err
	}
	return err
}

func (a *arriving) Close() error { return a.body.Close() }

// drain takes what is still to come, up to the route's limit.
func (a *arriving) drain() { _, _ = io.Copy(io.Discard, a) }

// brokeOff reports whether the client went away or stalled.
func (a *arriving) brokeOff() bool {
	_, tooLarge := errors.AsType[*http.MaxBytesError](a.failed)
	return a.failed != nil && !tooLarge
}

// upload is the file of a form, as it arrives.
type upload struct {
	name  string
	body  *arriving
	part  *multipart.Part
	parts *multipart.Reader
}

func (u upload) Read(p []byte) (int, error) {
	n, err := u.part.Read(p)
	return n, u.body.note(err) // also where the form ends before the file does
}

// ended checks that nothing follows the file but the body's end: without that
// a body may have broken off in the file's last line.
func (u upload) ended() error {
	if _, err := u.parts.NextPart(); err != io.EOF {
		return errForm
	}
	return nil
}

// maxFields is how many fields may come before the file.
const maxFields = 20

// readUpload reads a form's fields up to its file. [http.Request.ParseMultipartForm]
// would write the file to the disk as it is.
func readUpload(r *http.Request, body *arriving) (fields url.Values, file upload, err error) {
	r.Body = body
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, file, errForm
	}
	fields, left := url.Values{}, int64(formBody)
	for range maxFields {
		part, err := parts.NextPart()
		if err != nil {
			return nil, file, errForm
		}
		if part.FormName() == "file" {
			return fields, upload{part.FileName(), body, part, parts}, nil
		}
		value, err := io.ReadAll(io.LimitReader(part, left+1))
		if left -= int64(len(value)); err != nil || left < 0 || !utf8.Valid(value) || strings.ContainsRune(string(value), 0) {
			return nil, file, errForm
		}
		fields.Add(part.FormName(), string(value))
	}
	return nil, file, errForm
}
