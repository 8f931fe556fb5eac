package handlers

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/ingest"
	"github.com/efface/efface/views"
)

// listBody is what the upload of a list may carry: the list and its form.
const listBody = erasure.BulkSize + formBody

var (
	errUpload  = &answer{http.StatusBadRequest, "Send the file again: the upload broke off, and nothing of it is kept."}
	errNoFile  = erasure.Errorf(erasure.CodeInvalid, "Choose a file.").In("file")
	errNoLines = erasure.Errorf(erasure.CodeInvalid, "Choose a file that has a line below the names of the columns.").In("file")
)

func (s *Server) showBulk(w http.ResponseWriter, r *http.Request) error {
	return s.renderUpload(w, r, http.StatusOK, views.BulkForm{Table: erasure.User, Suppress: s.config.Suppress})
}

func (s *Server) renderUpload(w http.ResponseWriter, r *http.Request, status int, form views.BulkForm) (err error) {
	form.Keys = map[erasure.Table][]string{}
	for _, table := range []erasure.Table{erasure.User, erasure.Group} {
		if form.Keys[table], err = s.db.KeyNames(r.Context(), table); err != nil {
			return err
		}
	}
	if form.Default, err = s.db.Region(r.Context()); err != nil {
		return err
	}
	newest, err := s.db.NewestBulks(r.Context())
	if err != nil {
		return err
	}
	form.Kept = s.config.SuppressFor
	p, _ := s.shownPage(r)
	return render(w, r, status, views.BulkUpload(p, form, newest))
}

// uploadList takes a list as it arrives. Unless it comes whole and can be read,
// nothing of it is kept.
func (s *Server) uploadList(w http.ResponseWriter, r *http.Request) error {
	body := &arriving{body: r.Body, w: w}
	form, id, ignored, err := s.receiveList(r, body)
	if err == nil {
		s.config.WakeBulk()
		return s.done(w, r, bulkPath(id), shown{notice: ignoredNotice(ignored), note: true})
	}
	if body.brokeOff() {
		return errUpload
	}
	body.drain() // a browser that is still sending does not read the answer
	switch wrong, ok := errors.AsType[*erasure.Error](err); {
	case ok && wrong.Code == erasure.CodeTooLarge:
		form.Problems = views.Problems{aboutFile(wrong)}
		return s.renderUpload(w, r, http.StatusRequestEntityTooLarge, form)
	case ok && wrong.Code == erasure.CodeInvalid:
		form.Problems = views.Problems{aboutFile(wrong)}
		return s.renderUpload(w, r, http.StatusUnprocessableEntity, form)
	}
	return err
}

// aboutFile gives a problem that names no field that of the file.
func aboutFile(e *erasure.Error) *erasure.Error {
	if e.Field != "" {
		return e
	}
	about := *e
	return about.In("file")
}

func ignoredNotice(columns []string) string {
	if len(columns) == 0 {
		return ""
	}
	return "These columns of the file were ignored: " + strings.Join(columns, ", ") + "."
}

// receiveList reads the form, which comes first, and spools the list.
func (s *Server) receiveList(r *http.Request, body *arriving) (form views.BulkForm, id erasure.BatchID, ignored []string, err error) {
	form.Table = erasure.User
	fields, file, err := readUpload(r, body)
	if err != nil {
		return form, id, nil, err
	}
	r.PostForm = fields
	d := deleteForm(r)
	form.Reference, form.Reason, form.Suppress = d.Reference, d.Reason, d.Suppress
	form.Region = strings.ToUpper(strings.TrimSpace(fields.Get("region")))
	if table, err := erasure.ParseTable(fields.Get("table")); err != nil {
		return form, id, nil, err
	} else {
		form.Table = table
	}
	if erasure.CheckRegion(form.Region) != nil {
		return form, id, nil, erasure.Errorf(erasure.CodeInvalid, "Choose the country of the phone numbers from the list.").In("region")
	}
	if err := erasure.CheckReference(form.Reference); err != nil {
		return form, id, nil, err
	}
	if file.name == "" {
		return form, id, nil, errNoFile
	}
	keys, err := s.db.KeyNames(r.Context(), form.Table)
	if err != nil {
		return form, id, nil, err
	}
	list, err := ingest.List(file, ingest.ListOptions{Table: form.Table, Region: form.Region, Keys: keys})
	if err != nil {
		return form, id, nil, err
	}
	id, err = s.spool(r, list, form, file.ended)
	return form, id, list.Ignored(), err
}

// spool keeps a list sealed until it is confirmed, or nothing of it where it
// does not come whole.
func (s *Server) spool(r *http.Request, list *ingest.ListReader, form views.BulkForm, ended func() error) (id erasure.BatchID, err error) {
	spool, err := s.db.OpenSpool(r.Context(), erasure.NewBulk{Origin: erasure.Console, Actor: actor(r),
		Reason: form.Reason, Reference: form.Reference, Suppress: form.Suppress})
	if err != nil {
		return id, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, spool.Discard(context.WithoutCancel(r.Context())))
		}
	}()
	lines := 0
	for {
		line, err := list.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return id, err
		}
		if err := spool.Add(r.Context(), line); err != nil {
			return id, err
		}
		lines++
	}
	if lines == 0 {
		return id, errNoLines
	}
	if err := ended(); err != nil {
		return id, err
	}
	return spool.Check(r.Context())
}
