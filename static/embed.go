// Package static serves the style sheets, scripts and icons that pages load.
// What comes from npm is embedded from assets/, which `make assets` fills and
// Git ignores.
package static

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/http"
	"sync"
)

//go:embed app.css app.js theme.js icons all:assets
var files embed.FS

// prefix is the path under which [Handler] expects to be mounted.
const prefix = "/static/"

// Missing says which make target to run where the assets from npm were not
// built in. Packages and their tests work without them; pages do not.
func Missing() error {
	for _, name := range []string{"tabler.min.css", "htmx.min.js", "icons.svg"} {
		if _, err := fs.Stat(files, "assets/"+name); err != nil {
			return errors.New("the pages' style sheets and scripts are not built in: run `make build`")
		}
	}
	return nil
}

// Path returns the URL of a file, such as "app.css" or "assets/icons.svg". A
// digest over all files stands in it, so that a browser may keep a file for
// ever and relative URLs in style sheets lead to files of the same build.
func Path(name string) string { return prefix + digest() + "/" + name }

// Handler serves the files. A URL of another build is answered with the file
// of this one, but not kept.
func Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+prefix+"{digest}/{name...}", func(w http.ResponseWriter, r *http.Request) {
		info, err := fs.Stat(files, r.PathValue("name"))
		if err != nil || info.IsDir() {
			http.NotFound(w, r)
			return
		}
		if r.PathValue("digest") == digest() {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		} else {
			w.Header().Set("Cache-Control", "no-cache")
		}
		http.ServeFileFS(w, r, files, r.PathValue("name"))
	})
	return mux
}

var digest = sync.OnceValue(func() string {
	sum := sha256.New()
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := files.ReadFile(name)
		sum.Write([]byte(name))
		sum.Write(content)
		return err
	})
	if err != nil {
		panic(err) // an embedded file is always readable
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
})
