package ingest

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/efface/efface/store/erasure"
)

func readNDJSON(t testing.TB, file string) reading {
	t.Helper()
	r, err := NDJSON(strings.NewReader(file), NDJSONOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return readAll(r)
}

func TestTheSampleNDJSONIsReadWhole(t *testing.T) {
	raw, err := os.ReadFile("testdata/chinook-invoices.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	got := readNDJSON(t, string(raw))
	if len(got.calls) != 412 || len(got.refused) != 0 || got.end != nil {
		t.Fatalf("%d calls, refused %v, end %v", len(got.calls), got.refused, got.end)
	}
	c := got.calls[1]
	if c.Kind != Track || c.MessageID != "chinook-invoice-1" || values(c) != "user_id=2" || c.Source != "import" || c.At.Year() != 2021 ||
		!bytes.Contains(c.Record, []byte(`"billing_address":"Theodor-Heuss-Straße 34"`)) {
		t.Errorf("got %+v", c)
	}
}

const page = `{"type":"page","userId":"%d"}`

func TestABadLineIsRefusedWithItsNumberAndReadingGoesOn(t *testing.T) {
	for name, line := range map[string]string{
		"no JSON":   "hello",
		"not UTF-8": "{\"type\":\"page\",\"userId\":\"\xff\"}",
		"NUL":       "\x00",
		"cut off":   `{"type":"page"`,
		"two calls": fmt.Sprintf(page+page, 1, 2),
		"1 MB":      `{"type":"page","userId":"1","x":"` + strings.Repeat("x", 1<<20) + `"}`,
		"a BOM":     "\ufeff\ufeff",
	} {
		file := fmt.Sprintf(page+"\n"+"%s\n\n"+page+"\r\n \n"+page, 1, line, 2, 3)
		got := readNDJSON(t, file)
		if len(got.refused) != 1 || got.refused[2] == "" || len(got.calls) != 3 || values(got.calls[4]) != "user_id=2" || values(got.calls[6]) != "user_id=3" {
			t.Errorf("%s: refused %v, calls %v, end %v", name, got.refused, got.calls, got.end)
		}
	}
}

func TestAnNDJSONFileMayBeginWithABOMAndBePacked(t *testing.T) {
	file := "\ufeff" + fmt.Sprintf(page+"\n"+page+"\n", 1, 2)
	for _, f := range []string{file, packed(t, file)} {
		if got := readNDJSON(t, f); len(got.calls) != 2 || len(got.refused) != 0 || got.end != nil {
			t.Errorf("got %v", got)
		}
	}
	if got := readNDJSON(t, ""); len(got.calls)+len(got.refused) != 0 || got.end != nil {
		t.Errorf("an empty file: got %v", got)
	}
	if got := readNDJSON(t, packed(t, file)[:30]); erasure.CodeOf(got.end) != erasure.CodeInvalid {
		t.Errorf("cut off: got %v", got)
	}
}

func TestALineWithoutAMessageIDIsKnownAgainByWhatItSays(t *testing.T) {
	got := readNDJSON(t, fmt.Sprintf(page+"\n"+page+" \n"+page, 1, 1, 2))
	if got.calls[1].MessageID != got.calls[2].MessageID || got.calls[1].MessageID == got.calls[3].MessageID || got.calls[1].MessageID == "" {
		t.Errorf("got %q, %q, %q", got.calls[1].MessageID, got.calls[2].MessageID, got.calls[3].MessageID)
	}
	if c := parse(t, fmt.Sprintf(page, 1)); c.MessageID != "" {
		t.Errorf("a call by itself: got %q", c.MessageID)
	}
}

func TestTheFormatIsToldByTheBeginning(t *testing.T) {
	for file, want := range map[string]Format{
		"user_id\n1\n": FormatCSV, "\ufeff{\"type\":1}": FormatNDJSON, "\n {}": FormatNDJSON, "": FormatCSV, "\x1f\x8b": FormatCSV,
		packed(t, "user_id\n"): FormatCSV, packed(t, "\ufeff"+strings.Repeat("{\"a\":1}\n", 5000)): FormatNDJSON,
	} {
		got, r := Detect(strings.NewReader(file))
		rest, err := io.ReadAll(r)
		if got != want || string(rest) != file || err != nil {
			t.Errorf("%.20q: got %s, %v, and %d of %d bytes", file, got, err, len(rest), len(file))
		}
	}
}

// endless repeats a piece until there are n bytes.
type endless struct {
	piece []byte
	n, at int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.n <= 0 {
		return 0, io.EOF
	}
	for i := range p {
		p[i] = e.piece[(e.at+i)%len(e.piece)]
	}
	e.at += len(p)
	e.n -= len(p)
	return len(p), nil
}

func TestMemoryDoesNotGrowWithTheFile(t *testing.T) {
	for name, piece := range map[string]string{
		"rows":                "1,a,b\n",
		"one endless line":    "xxxxxxxxxxxxxxxx",
		"a quote nobody ends": "1,\"a\n",
		"one endless quote":   "\"\"\"\"\"\"",
	} {
		const size = 1 << 20
		file := io.MultiReader(strings.NewReader("user_id,a,b\n"), &endless{piece: []byte(piece), n: size})
		r, err := CSV(file, CSVOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var before, now runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for read := 0; ; read++ {
			if _, _, err := r.Next(); err == io.EOF {
				break
			}
			if read%10000 == 0 {
				runtime.GC()
				runtime.ReadMemStats(&now)
				if now.HeapAlloc > before.HeapAlloc+256<<10 {
					t.Fatalf("%s: the heap grew from %d to %d bytes", name, before.HeapAlloc, now.HeapAlloc)
				}
			}
		}
	}
}
