package ingest

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/efface/efface/store/erasure"
)

// userKeys are the keys of a store that has one of its own.
var userKeys = append(erasure.KeyNames(erasure.User), "hubspot_user_id")

// readList reads to the end and writes each line as "N key=value" or "N: why
// it is refused".
func readList(t testing.TB, file string, o ListOptions) (lines []string, l *ListReader, err error) {
	t.Helper()
	if o.Keys == nil {
		o.Keys = userKeys
	}
	if l, err = List(strings.NewReader(file), o); err != nil {
		return nil, nil, err
	}
	for {
		line, err := l.Next()
		switch {
		case err == io.EOF:
			return lines, l, nil
		case err != nil:
			return lines, l, err
		case line.Refused != "":
			lines = append(lines, fmt.Sprintf("%d: %s", line.N, line.Refused))
		default:
			lines = append(lines, fmt.Sprintf("%d %s=%s", line.N, line.Asked.Key, line.Asked.Value))
		}
	}
}

func TestAListIsOneIdentifierARow(t *testing.T) {
	for file, want := range map[string][]string{
		"email\nann@example.com\nBob@Example.com\n":                     {"2 email=ann@example.com", "3 email=Bob@Example.com"},
		"\ufeffname,EMAIL\r\n\"Ann, A\",ann@example.com\r\n":            {"2 email=ann@example.com"},
		"hubspot_user_id,city\n51,Wien":                                 {"2 hubspot_user_id=51"},
		"key,value\nemail,ann@example.com\n Phone ,+49 30 901820\n":     {"2 email=ann@example.com", "3 phone=+49 30 901820"},
		"value,note,Key\nu1,x,user_id\n":                                {"2 user_id=u1"},
		"user_id,key\nu1,x\n":                                           {"2 user_id=u1"},
		"email,note\na@b.example,\"two\nlines\"\n\n\nc@d.example,one\n": {"2 email=a@b.example", "6 email=c@d.example"},
		"email\n":                     nil,
		"email,note\na@b,\"caf\xe9\"": {"2 email=a@b"},
	} {
		for _, sent := range []string{file, packed(t, file)} {
			if got, _, err := readList(t, sent, ListOptions{}); err != nil || !slices.Equal(got, want) {
				t.Errorf("%q gives %q, %v", file, got, err)
			}
		}
	}
}

func TestALineThatCannotBeAskedForSaysWhy(t *testing.T) {
	const secret = "ann@example.com"
	file := "key,value\nemail,\nemail, \u200b\nmail," + secret + "\nemail," + secret + ",x\n,u1\nefface_id," + secret + "\nuser_id,\xff" + secret + "\n" +
		"user_id,\"" + secret + "\nuser_id,a\x00" + secret + "\nuser_id," + strings.Repeat(secret, 100) + "\nuser_id," + strings.Repeat(secret, EventSize) + "\nuser_id,u1\n"
	got, _, err := readList(t, file, ListOptions{})
	want := []string{"2: Enter a value.", "3: Enter a value.", "4: Give a key that people are found by", "5: Give the row as many fields",
		"6: Give a key that people are found by", "7: Give the whole User ID", "8: Give the value as UTF-8", "9: ", "10: Remove the NUL", "11: Shorten the value",
		"12: Shorten the line", "13 user_id=u1"}
	if err != nil || len(got) != len(want) {
		t.Fatalf("got %q, %v", got, err)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) || strings.Contains(got[i], secret) {
			t.Errorf("got %q, want %q", got[i], want[i])
		}
	}
}

func TestALinesRegionAndTableAreTheLists(t *testing.T) {
	l, err := List(strings.NewReader("phone\n0211 123456\n"), ListOptions{Table: erasure.Group, Region: "DE", Keys: erasure.KeyNames(erasure.Group)})
	if err != nil {
		t.Fatal(err)
	}
	if line, err := l.Next(); err != nil || line.Asked != (erasure.Identifier{Table: erasure.Group, Key: "phone", Value: "0211 123456", Region: "DE"}) {
		t.Errorf("got %+v, %v", line, err)
	}
}

func TestColumnsThatAreNotReadAreNamed(t *testing.T) {
	for file, want := range map[string]string{
		"email\n":                  "",
		"Name,email,City\n":        "Name City",
		"key,value,note\n":         "note",
		"key,email\n":              "key",
		"key,hubspot_user_id,id\n": "key id",
	} {
		if _, l, err := readList(t, file, ListOptions{}); err != nil || strings.Join(l.Ignored(), " ") != want {
			t.Errorf("%q ignores %q, %v", file, l.Ignored(), err)
		}
	}
}

func TestAListThatNamesNoIdentifierIsRefused(t *testing.T) {
	for file, sentence := range map[string]string{
		"":                            "not empty",
		"ann@example.com\nbob@x\n":    "Name one column in the first line after a key (efface_id, user_id",
		"group_id\nacct-7\n":          "Name one column",
		"name,city\nx,y\n":            "hubspot_user_id), or give two columns named key and value.",
		"email;name\na@b;c\n":         "Separate the columns by commas.",
		"email,Phone\na@b,1\n":        "Keep one of the columns email, phone",
		"key,value,email\n":           "Keep the columns key and value, or the column email",
		"Email,email\n":               "Keep one of the columns",
		"email,email\n":               "different names",
		"email,\n":                    "Name column 2",
		"\xff\xfee\x00":               "UTF-16",
		"PK\x03\x04\x00\x00":          "no CSV",
		"\"email\n":                   "Mend the first line",
		packed(t, "email\na@b\n")[:8]: "cut off or damaged",
	} {
		_, _, err := readList(t, file, ListOptions{})
		if erasure.CodeOf(err) != erasure.CodeInvalid || !strings.Contains(err.Error(), sentence) {
			t.Errorf("%q: %v", file, err)
		}
		if err != nil && strings.Contains(err.Error(), "@") {
			t.Errorf("%q: a value stands in %v", file, err)
		}
	}
}

func TestAListIsReadUpToItsSizeUnpacked(t *testing.T) {
	line := strings.Repeat("a", 1000) + "@b.example\n"
	file := io.MultiReader(strings.NewReader("email\n"), &endless{piece: []byte(line), n: 2 * erasure.BulkSize})
	l, err := List(file, ListOptions{Keys: userKeys})
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for err == nil {
		_, err = l.Next()
		read++
	}
	if erasure.CodeOf(err) != erasure.CodeTooLarge || max(read, erasure.BulkSize/len(line))-min(read, erasure.BulkSize/len(line)) > 1 {
		t.Errorf("after %d lines: %v", read, err)
	}
	whole := "email\n" + strings.Repeat("x\n", 10)
	in, err := newInput(strings.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	in.limit(int64(len(whole)))
	for err == nil {
		_, _, err = in.row()
	}
	if err != io.EOF {
		t.Errorf("a list of exactly the size ends with %v", err)
	}
}

func TestAListThatBreaksOffDoesNotEnd(t *testing.T) {
	broken := iotest.ErrReader(io.ErrUnexpectedEOF)
	l, err := List(io.MultiReader(strings.NewReader("email\na@b.example\nc@d"), broken), ListOptions{Keys: userKeys})
	if err != nil {
		t.Fatal(err)
	}
	if line, err := l.Next(); err != nil || line.N != 2 {
		t.Fatalf("got %+v, %v", line, err)
	}
	if line, err := l.Next(); err == nil || err == io.EOF {
		t.Errorf("got %+v, %v", line, err)
	}
	whole := packed(t, "email\n"+strings.Repeat("a@b.example\n", 100))
	if _, _, err := readList(t, whole[:len(whole)-4], ListOptions{}); erasure.CodeOf(err) != erasure.CodeInvalid {
		t.Errorf("a cut gzip file ends with %v", err)
	}
}

func FuzzList(f *testing.F) {
	for _, s := range []string{"", "email\na@b\n", "\ufeffkey,value\r\nemail,\"a\"\"b@c\"\r\n\r\nphone,+1\n", "key,value\n,\n\"x\ny\",z\n", "hubspot_user_id,\n1", "email\n\"", "efface_id\n\xff\n\x00"} {
		f.Add([]byte(s))
		f.Add([]byte(packed(f, s)))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		l, err := List(bytes.NewReader(file), ListOptions{Keys: userKeys})
		for last := 1; err == nil; {
			var line erasure.Line
			if line, err = l.Next(); err != nil {
				break
			}
			if line.N <= last {
				t.Fatalf("line %d after %d", line.N, last)
			}
			last = line.N
			if _, _, wrong := erasure.Normalise(line.Asked, "DE"); (wrong == nil) == (line.Refused != "") {
				t.Fatalf("%+v: %v", line, wrong)
			}
		}
		if err != io.EOF && erasure.CodeOf(err) == "" {
			t.Fatal(err)
		}
	})
}
