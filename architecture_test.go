package efface_test

import (
	"errors"
	"go/build"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/efface/efface/"

// allowed names, for each package of the program, which others it may import.
// A name that ends in /* stands for every package below.
var allowed = []struct {
	pkg     string
	imports []string
}{
	{"cmd/efface", []string{"handlers", "jobs", "store", "store/erasure", "store/evidence", "store/ingest", "store/scan", "static"}},
	{"docs", nil},
	{"handlers", []string{"docs", "handlers/compat/*", "handlers/wire", "views", "static", "store", "store/erasure", "store/evidence", "store/ingest"}},
	{"handlers/wire", []string{"store", "store/erasure"}},
	{"handlers/compat/compattest", []string{"handlers", "jobs", "store", "store/erasure", "store/ingest", "store/storetest"}},
	{"handlers/compat/*", []string{"handlers/wire", "store", "store/erasure", "store/ingest"}},
	{"jobs", []string{"store", "store/erasure"}},
	{"views", []string{"store/erasure", "static"}},
	{"store", []string{"store/evidence", "store/witness", "store/seal", "store/erasure", "store/ingest"}},
	{"store/storetest", []string{"store", "store/evidence", "store/seal", "store/erasure", "store/ingest"}},
	{"store/evidence", []string{"store/erasure"}},
	{"store/witness", []string{"store/erasure"}},
	{"store/ingest", []string{"store/erasure"}},
	{"store/seal", []string{"store/erasure"}},
	{"store/erasure", nil},
	{"store/scan", nil},
	{"static", nil},
}

// forTests are the packages that no part of the program may import.
var forTests = []string{"handlers/compat/compattest", "store/storetest"}

// withoutSQLOrHTTP are the packages of pure rules.
var withoutSQLOrHTTP = []string{"store/erasure", "store/evidence", "store/witness", "store/ingest"}

func TestImportsGoOneWay(t *testing.T) {
	for pkg, imports := range programImports(t) {
		may, known := importsOf(pkg)
		if !known {
			t.Errorf("%s is a new package: say here what it may import", pkg)
		}
		for _, imported := range imports {
			own, inside := strings.CutPrefix(imported, module)
			if inside && !matchesAny(may, own) || slices.Contains(forTests, own) && !slices.Contains(forTests, pkg) {
				t.Errorf("%s imports %s", pkg, own)
			}
			if slices.Contains(withoutSQLOrHTTP, pkg) && (imported == "database/sql" || imported == "net/http") {
				t.Errorf("%s imports %s", pkg, imported)
			}
		}
	}
}

func importsOf(pkg string) (may []string, known bool) {
	for _, rule := range allowed {
		if matchesAny([]string{rule.pkg}, pkg) {
			return rule.imports, true
		}
	}
	return nil, false
}

func matchesAny(patterns []string, pkg string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		below, tree := strings.CutSuffix(pattern, "*")
		return pattern == pkg || tree && strings.HasPrefix(pkg, below)
	})
}

// programImports lists what each package of the module imports, leaving out
// its tests, which may use what they like.
func programImports(t *testing.T) map[string][]string {
	t.Helper()
	imports := map[string][]string{}
	for _, top := range []string{"cmd", "docs", "handlers", "jobs", "static", "store", "views"} {
		err := filepath.WalkDir(top, func(dir string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil || !d.IsDir() {
				return err
			}
			pkg, err := build.ImportDir(dir, 0)
			if _, empty := errors.AsType[*build.NoGoError](err); empty {
				return nil
			}
			imports[filepath.ToSlash(dir)] = pkg.Imports
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return imports
}
