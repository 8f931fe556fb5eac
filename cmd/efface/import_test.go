package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/efface/efface/store/storetest"
)

// summary is what an import says from its summary on.
func (e ended) summary() string {
	lines := strings.SplitAfter(e.stderr, "\n")
	for i, line := range lines {
		if strings.Contains(line, " added, ") {
			return strings.Join(lines[i:], "")
		}
	}
	return ""
}

// sscan reads the numbers of a summary.
func sscan(summary string, counts ...*int) (int, error) {
	words := []string{"added", "seen before"}
	var dest []any
	format := ""
	for i, c := range counts {
		dest = append(dest, c)
		format += "%d " + words[i] + ", "
	}
	return fmt.Sscanf(strings.ReplaceAll(strings.ReplaceAll(summary, ", ", "; "), ",", ""), strings.ReplaceAll(strings.TrimSuffix(format, ", "), ", ", "; "), dest...)
}

func TestImportRunAgainAddsNothing(t *testing.T) {
	t.Parallel()
	data, file := filepath.Join(t.TempDir(), "data"), people(t, 1200)
	if e := must(t, "import", "--data", data, "--phone-region", "AT", file); !strings.HasPrefix(e.summary(), "1,200 added, 0 seen before, 0 suppressed, 0 refused") {
		t.Errorf("the first import says %q", e.stderr)
	}
	if e := must(t, "import", "--data", data, file); !strings.HasPrefix(e.summary(), "0 added, 1,200 seen before") {
		t.Errorf("the second import says %q", e.stderr)
	}
}

func TestImportRefusesBadLinesByNumberAndGoesOn(t *testing.T) {
	t.Parallel()
	csv := "\xef\xbb\xbfuser_id,email,city\r\n" +
		"u1,ann@example.com,Wien\r\n" +
		"u2,bad\xff\xfe@example.com,Wien\r\n" + // line 3
		"u3,cut@example.com\r\n" + // line 4
		"u4,long@example.com," + strings.Repeat("x", 1<<20) + "\r\n" + // line 5
		",,Wien\r\n" + // line 6
		"u6,nul\x00@example.com,Wien\r\n" + // line 7
		"u7,ann@exa\"mple.com,Wien\r\n" + // line 8
		"u8,last@example.com,Graz\r\n"
	data := newStore(t)
	e := efface(t, csv, "import", "--data", data, "--phone-region", "AT", "-")
	lines := strings.Split(strings.TrimSpace(e.stderr), "\n")
	if e.code != exitFailed || len(lines) != 8 || !strings.HasPrefix(lines[7], "2 added, 0 seen before, 0 suppressed, 6 refused") {
		t.Fatalf("import ended with %d: %s", e.code, e.stderr)
	}
	for i, line := range lines[1:7] {
		if !strings.HasPrefix(line, fmt.Sprintf("line %d: ", i+3)) || strings.Contains(line, "example.com") || strings.Contains(line, "Wien") {
			t.Errorf("a refused line is reported as %q", line)
		}
	}
}

func TestImportRefusesFilesThatAreNoneWithOneSentence(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	for i := range 3000 {
		fmt.Fprintf(z, `{"type":"identify","userId":"u%d","traits":{"email":"u%d@example.com"}}`+"\n", i, i*7919)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(t.TempDir(), "data")
	for name, c := range map[string]struct{ content, want string }{
		"duplicate.csv": {"user_id,email,email\n1,a@example.com,b@example.com\n", "different names"},
		"nokey.csv":     {"city\nWien\n", "--key COLUMN=KEY"},
		"empty.csv":     {"", "not empty"},
		"utf16.csv":     {"\xff\xfeu\x00", "UTF-8"},
		"a program":     {"\x7fELF\x02\x01\x01\x00\"\"\n", "no CSV or NDJSON text"},
		"people.xlsx":   {"PK\x03\x04\x14\x00\x06", "no CSV or NDJSON text"},
	} {
		efface(t, "", "import", "--data", data, write(t, name, c.content)).refused(t, c.want)
	}
	efface(t, `{"type":"identify"}`, "import", "--data", data, "--key", "a=b", "-").refused(t, "Leave out --key")

	cut := packed.String()[:packed.Len()*2/3]
	e := efface(t, "", "import", "--data", data, "--phone-region", "AT", write(t, "cut.ndjson.gz", cut))
	var added int
	_, err := sscan(e.summary(), &added)
	if e.code != exitFailed || err != nil || added == 0 || !strings.Contains(e.stderr, "cut off or damaged") ||
		!strings.Contains(e.stderr, "fetch the file again. Then run the import again: what was stored is not stored twice.\n") {
		t.Errorf("a truncated gzip ends with %d: %s", e.code, e.stderr)
	}
	again := must(t, "import", "--data", data, write(t, "whole.ndjson.gz", packed.String()))
	if !strings.Contains(again.stderr, thousands(added)+" seen before") {
		t.Errorf("after %d lines of the cut file the whole one says %q", added, again.stderr)
	}
}

func TestImportTakesFurtherKeysAndHonoursTheEnvironment(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	var stderr strings.Builder
	code := run(t.Context(), []string{"import", "--key", "Kundennummer=crm_id", "-"}, program{
		stdin: strings.NewReader("Kundennummer,city\n17,Wien\n"), stdout: &stderr, stderr: &stderr, assets: builtIn,
		env: func(name string) (string, bool) {
			v, ok := map[string]string{"EFFACE_DATA": data, "EFFACE_SOURCE": "crm"}[name]
			return v, ok
		},
	})
	if code != 0 {
		t.Fatal(stderr.String())
	}
	if _, err := os.Stat(filepath.Join(data, "efface.db")); err != nil {
		t.Error(err)
	}
}

func TestImportSaysWhichColumnsAreIdentifiers(t *testing.T) {
	t.Parallel()
	data := newStore(t)
	const file = "User_ID,E-Mail,contact,city\n1,ann@example.com,bob@example.com,Wien\n"
	e := efface(t, file, "import", "--data", data, "--phone-region", "AT", "-")
	told, _, _ := strings.Cut(e.stderr, "1 added")
	const want = `Identifiers: "User_ID" (user_id). Traits: "E-Mail", "contact", "city".
Warning: nobody will be found by the column "E-Mail", which looks like an identifier; --key "E-Mail=email" makes it one.
Warning: nobody will be found by the column "contact", which looks like an identifier; --key "contact=email" makes it one.
`
	if e.code != 0 || told != want {
		t.Errorf("import ended with %d and says %s", e.code, e.stderr)
	}
	e = efface(t, file, "import", "--data", data, "--key", "E-Mail=email", "--key", "contact=email", "--key", "city=place", "-")
	if !strings.HasPrefix(e.stderr, `Identifiers: "User_ID" (user_id), "E-Mail" (email), "contact" (email), "city" (place). Traits: none.`+"\n1 added") {
		t.Errorf("with their keys named import says %s", e.stderr)
	}
}

func TestAnImportKeepsToTheKeyLimit(t *testing.T) {
	t.Parallel()
	data := newStore(t)
	csv := "user_id,email\nu1,a@example.com\nu1,b@example.com\nu1,c@example.com\n"
	e := efface(t, csv, "import", "--data", data, "--key-limit", "2", "-")
	if !strings.HasPrefix(e.summary(), "3 added") {
		t.Errorf("the import says %q", e.stderr)
	}
	var held, refused int
	raw := storetest.Raw(t, data)
	if err := raw.QueryRow(`SELECT (SELECT COUNT(*) FROM identifiers), (SELECT refused FROM over_limit)`).Scan(&held, &refused); err != nil || held != 3 || refused != 1 {
		t.Errorf("%d identifiers are held and %d refused, %v", held, refused, err)
	}
}

func TestImportSaysWhereAProfileHasAsManyIdentifiersAsItMay(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "people.csv")
	if err := os.WriteFile(file, []byte("user_id,email\n1,a@example.com\n1,b@example.com\n2,c@example.com\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	e := must(t, "import", "--data", filepath.Join(t.TempDir(), "data"), "--key-limit", "1", file)
	if !strings.HasPrefix(e.summary(), "3 added") || !strings.HasSuffix(e.summary(), "\nAdded without identifiers of which a profile has as many as --key-limit allows: 1.\n") {
		t.Errorf("the import says %q", e.summary())
	}
}
