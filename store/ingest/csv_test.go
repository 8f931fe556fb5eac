package ingest

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"github.com/efface/efface/store/erasure"
)

// reader is what the two readers have in common.
type reader interface {
	Next() (line int, call Call, err error)
}

// reading is all that came of a file.
type reading struct {
	calls   map[int]Call
	refused map[int]string
	end     error // nil at the end of the file
}

func readAll(r reader) reading {
	all := reading{calls: map[int]Call{}, refused: map[int]string{}}
	for {
		line, call, err := r.Next()
		var bad *LineError
		switch {
		case err == io.EOF:
			return all
		case errors.As(err, &bad):
			all.refused[line] = bad.Err.Sentence
		case err != nil:
			all.end = err
			return all
		default:
			all.calls[line] = call
		}
	}
}

func readCSV(t testing.TB, file string, o CSVOptions) reading {
	t.Helper()
	r, err := CSV(strings.NewReader(file), o)
	if err != nil {
		t.Fatal(err)
	}
	return readAll(r)
}

func values(c Call) string {
	var s []string
	for _, id := range c.Identifiers {
		s = append(s, id.Key+"="+id.Value)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Traits)) {
		s = append(s, name+":"+string(c.Traits[name]))
	}
	return strings.Join(s, " ")
}

func TestTheSampleCSVIsReadWhole(t *testing.T) {
	raw, err := os.ReadFile("testdata/chinook-customers.csv")
	if err != nil {
		t.Fatal(err)
	}
	got := readCSV(t, string(raw), CSVOptions{})
	if len(got.calls) != 59 || len(got.refused) != 0 || got.end != nil {
		t.Fatalf("%d calls, refused %v, end %v", len(got.calls), got.refused, got.end)
	}
	c := got.calls[3]
	want := `user_id=2 email=leonekohler@surfeu.de phone=+49 0711 2842222 address:"Theodor-Heuss-Straße 34" ` +
		`city:"Stuttgart" country:"Germany" first_name:"Leonie" last_name:"Köhler" postal_code:"70174"`
	if values(c) != want || c.Kind != Identify || c.Table != erasure.User || c.Source != "import" || c.Record != nil {
		t.Errorf("got %s\n%+v", values(c), c)
	}
}

func TestColumnsNamedLikeKeysAreIdentifiers(t *testing.T) {
	const file = "user_id,Email,hub,plan,group_id\n1,ann@example.com,51,gold,7\n"
	got := readCSV(t, file, CSVOptions{Source: "crm", Keys: map[string]string{"hub": "hubspot_user_id"}})
	if want := `user_id=1 email=ann@example.com hubspot_user_id=51 group_id:"7" plan:"gold"`; values(got.calls[2]) != want {
		t.Errorf("got %s", values(got.calls[2]))
	}
	got = readCSV(t, "user_id,email,group_id\n1,ann@example.com,7\n", CSVOptions{Table: erasure.Group})
	c := got.calls[2]
	if want := `email=ann@example.com group_id=7 user_id:"1"`; values(c) != want || c.Table != erasure.Group || c.Identifiers[0].Table != erasure.Group {
		t.Errorf("group: got %s", values(c))
	}
}

func TestATraitThatLooksLikeAnIdentifierSuggestsItsKey(t *testing.T) {
	const header = "User_ID,E-Mail,Mobile,User ID,hub,contact,city,tel"
	r, err := CSV(strings.NewReader(header+"\n1,,,,,,,\n2,x,y,z,bob@example.com,ann@example.com,Wien,\n3,,,,,,ann@example.com,\n"),
		CSVOptions{Keys: map[string]string{"hub": "hubspot_user_id", "tel": "phone"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := readAll(r); len(got.calls) != 3 {
		t.Fatalf("got %v", got)
	}
	var got []string
	for _, c := range r.Columns() {
		got = append(got, c.Name+" "+c.Key+"/"+c.Suggests)
	}
	want := []string{"User_ID user_id/", "E-Mail /email", "Mobile /phone", "User ID /user_id", "hub hubspot_user_id/", "contact /email", "city /", "tel phone/"}
	if !slices.Equal(got, want) {
		t.Errorf("the columns are %q", got)
	}
}

func TestEveryWayToWriteACSVFileReadsTheSame(t *testing.T) {
	const plain = "user_id,note\n1,\"a, \"\"b\"\"\nc\"\n2,\n"
	want := readCSV(t, plain, CSVOptions{})
	if len(want.calls) != 2 || values(want.calls[2]) != `user_id=1 note:"a, \"b\"\nc"` || values(want.calls[4]) != "user_id=2" {
		t.Fatalf("got %v", want)
	}
	for name, file := range map[string]string{
		"BOM":            "\ufeff" + plain,
		"CRLF":           strings.ReplaceAll(plain, "\n2", "\r\n2"),
		"no last end":    strings.TrimSuffix(plain, "\n"),
		"CR at the end":  strings.TrimSuffix(plain, "\n") + "\r",
		"gzip":           packed(t, plain),
		"BOM in gzip":    packed(t, "\ufeff"+plain),
		"two gzip parts": packed(t, plain[:15]) + packed(t, plain[15:]),
		"named blanks":   " user_id ,\u200bnote\n" + plain[13:],
		"quoted names":   "\"user_id\",\"note\"\n" + plain[13:],
	} {
		got := readCSV(t, file, CSVOptions{})
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got %v\nwant %v", name, got, want)
		}
	}
}

func TestAFileThatCannotBeReadIsRefusedWithASentence(t *testing.T) {
	seen := map[string]string{}
	for name, file := range map[string]string{
		"empty":             "",
		"duplicate header":  "user_id,email,user_id\n",
		"nameless column":   "user_id,,email\n",
		"no identifier":     "first_name,last_name\nAnn,Lee\n",
		"semicolons":        "user_id;email\n1;ann@example.com\n",
		"UTF-16":            "\xff\xfeu\x00s\x00",
		"a program":         "\x7fELF\x02\x01\x01\x00\"",
		"header not UTF-8":  "user_id,stra\xdfe\n",
		"unclosed header":   "user_id,\"email\n1,2\n",
		"CR alone":          "user_id,email\r1,ann@example.com\r",
		"a missing column":  "user_id,email,mapped\n",
		"long header":       "user_id," + strings.Repeat("x", EventSize) + "\n",
		"cut in gzip's own": packed(t, "user_id\n1\n")[:5],
	} {
		o := CSVOptions{}
		if name == "a missing column" {
			o.Keys = map[string]string{"HubSpot": "hubspot_user_id"}
		}
		_, err := CSV(strings.NewReader(file), o)
		if erasure.CodeOf(err) != erasure.CodeInvalid {
			t.Errorf("%s: got %v", name, err)
			continue
		}
		if other := seen[err.Error()]; other != "" {
			t.Errorf("%s and %s have one sentence", name, other)
		}
		seen[err.Error()] = name
	}
	for _, o := range []CSVOptions{{Source: "ann@example.com"}, {Keys: map[string]string{"user_id": "User ID"}}} {
		if _, err := CSV(strings.NewReader("user_id\n"), o); erasure.CodeOf(err) != erasure.CodeInvalid {
			t.Errorf("%+v: got %v", o, err)
		}
	}
}

// A file without a header has somebody's data in its place.
func TestNoSentenceAboutAFileHoldsItsData(t *testing.T) {
	for _, file := range []string{
		"ann@example.com,ann@example.com\n", "ann@example.com;1\n", "ann@example.com,Lee\n", "ann@example.com,\n", "ann@example.com,\"Lee\n",
		"user_id,email\nann@example.com,\"Lee\n", "user_id,email\nann@example.com,Lee,x\n", "user_id\nann@example.com\x00\n", "user_id\nann@example.com\xff\n",
	} {
		r, err := CSV(strings.NewReader(file), CSVOptions{})
		if err == nil {
			_, _, err = r.Next()
		}
		if err == nil || strings.Contains(err.Error(), "ann") || strings.Contains(err.Error(), "Lee") {
			t.Errorf("%q: got %v", file, err)
		}
	}
}

func TestABadRowIsRefusedWithItsNumberAndReadingGoesOn(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for name, row := range map[string]string{
		"too few fields":        "2",
		"too many fields":       "2,a,b",
		"not UTF-8":             "2,stra\xdfe",
		"NUL":                   "2,a\x00b",
		"no identifier":         ",a",
		"blank identifier":      " \u200b,a",
		"over-long value":       strings.Repeat("2", erasure.ValueLength+1) + ",a",
		"1 MB":                  "2," + long,
		"1 MB in quotes":        `2,"` + long + `"`,
		"1 MB without a comma":  long,
		"just too long":         "2," + long[:EventSize-1],
		"a quote inside":        `2,5" pipe`,
		"text after the quote":  `2,"a"b`,
		"a quote nobody closed": `2,"a`,
	} {
		got := readCSV(t, "user_id,note\n1,a\n"+row+"\n3,c\n\n4,d\n", CSVOptions{})
		if len(got.refused) != 1 || got.refused[3] == "" || got.end != nil {
			t.Errorf("%s: refused %v, end %v", name, got.refused, got.end)
		}
		if len(got.calls) != 3 || values(got.calls[4]) != `user_id=3 note:"c"` || values(got.calls[6]) != `user_id=4 note:"d"` {
			t.Errorf("%s: got %v", name, got.calls)
		}
	}
	got := readCSV(t, "user_id,note\n2,"+long[:EventSize-2]+"\n", CSVOptions{})
	if len(got.calls) != 1 {
		t.Errorf("a row of the greatest length was refused: %v", got.refused)
	}
}

func TestTwoValuesOfAKeyThatAllowsOneAreRefused(t *testing.T) {
	keys := map[string]string{"id": "user_id", "mail": "email"}
	got := readCSV(t, "user_id,id,email,mail\n1,2,,\n1,1,a@example.com,b@example.com\n,3,a@example.com,a@example.com\n", CSVOptions{Keys: keys})
	if len(got.refused) != 1 || got.refused[2] == "" {
		t.Errorf("refused %v", got.refused)
	}
	if s := values(got.calls[3]); s != "user_id=1 email=a@example.com email=b@example.com" {
		t.Errorf("got %s", s)
	}
	if s := values(got.calls[4]); s != "user_id=3 email=a@example.com" {
		t.Errorf("got %s", s)
	}
}

func TestATruncatedGzipEndsInAnErrorAfterTheLinesReadSoFar(t *testing.T) {
	var rows strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&rows, "%d,note %d of many\n", i, i*i)
	}
	file := packed(t, "user_id,note\n"+rows.String())
	for _, cut := range []int{len(file) / 2, len(file) - 9, len(file) - 4, len(file) - 1} {
		got := readCSV(t, file[:cut], CSVOptions{})
		if erasure.CodeOf(got.end) != erasure.CodeInvalid || len(got.calls) == 0 || len(got.refused) != 0 {
			t.Errorf("cut at %d: %d calls, refused %v, end %v", cut, len(got.calls), got.refused, got.end)
		}
		if !strings.Contains(fmt.Sprint(got.end), fmt.Sprintf("line %d;", len(got.calls)+1)) {
			t.Errorf("cut at %d after %d rows and the header: %v", cut, len(got.calls), got.end)
		}
	}
	damaged := []byte(file)
	damaged[len(damaged)-8] ^= 1 // in the checksum
	if got := readCSV(t, string(damaged), CSVOptions{}); erasure.CodeOf(got.end) != erasure.CodeInvalid || len(got.calls) != 5000 {
		t.Errorf("damaged: %d calls, end %v", len(got.calls), got.end)
	}
}

func TestAReadErrorIsNotTheFilesFault(t *testing.T) {
	broken := errors.New("input/output error")
	file := io.MultiReader(strings.NewReader("user_id\n1\n2"), iotest.ErrReader(broken))
	r, err := CSV(file, CSVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got := readAll(r)
	if len(got.calls) != 1 || !errors.Is(got.end, broken) || erasure.CodeOf(got.end) != "" {
		t.Errorf("got %v", got)
	}
	if _, _, err := r.Next(); !errors.Is(err, broken) {
		t.Errorf("then %v", err)
	}
}

func TestARowIsKnownAgainByWhatItSays(t *testing.T) {
	id := func(file string, o CSVOptions) string { return readCSV(t, file, o).calls[2].MessageID }
	first := id("user_id,a,b\n1,x,y\n", CSVOptions{})
	if first != id("b,user_id,a,c\ny,1,x,\n", CSVOptions{}) {
		t.Error("the order of columns and empty ones made it another row")
	}
	seen := map[string]bool{first: true}
	for _, other := range []string{
		id("user_id,a,b\n1,y,x\n", CSVOptions{}), id("user_id,a,b\n2,x,y\n", CSVOptions{}), id("user_id,a,b\n1,xy,\n", CSVOptions{}),
		id("user_id,a,b\n1,x,y\n", CSVOptions{Source: "crm"}), id("user_id,a,b\n1,x,y\n", CSVOptions{Keys: map[string]string{"b": "badge"}}),
		id("user_id,a,b,group_id\n1,x,y,1\n", CSVOptions{Table: erasure.Group}),
	} {
		if seen[other] || other == "" {
			t.Error("two different rows are known by the same")
		}
		seen[other] = true
	}
}

func TestWhatAnotherProgramWritesIsReadBack(t *testing.T) {
	field := rapid.OneOf(rapid.StringMatching("[a-z \",\r\n;'é]{0,12}"), rapid.String())
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(rapid.SliceOfN(field, 3, 3), 0, 8).Draw(t, "rows")
		var file bytes.Buffer
		w := csv.NewWriter(&file)
		w.UseCRLF = rapid.Bool().Draw(t, "CRLF")
		w.Write([]string{"user_id", "a", "b"})
		var want []string
		for i, row := range rows {
			for j := range row {
				row[j] = strings.NewReplacer("\x00", "", "\r", "").Replace(row[j])
			}
			row[0] = fmt.Sprint("u", i)
			w.Write(row)
			if w.UseCRLF { // the writer makes every line end within a field CRLF too
				row = []string{row[0], strings.ReplaceAll(row[1], "\n", "\r\n"), strings.ReplaceAll(row[2], "\n", "\r\n")}
			}
			want = append(want, fmt.Sprintf("%q", row))
		}
		w.Flush()
		in, err := newInput(iotest.OneByteReader(&file))
		if err != nil {
			t.Fatal(err)
		}
		in.row() // the header
		var got []string
		for {
			_, fields, err := in.row()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprintf("%q", fields))
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %v\nwant %v", got, want)
		}
	})
}

func packed(t testing.TB, s string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
