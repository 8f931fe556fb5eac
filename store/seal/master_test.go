package seal_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

func TestMasterKeyFileIsReadBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	made, err := seal.CreateMaster(path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^efface-master-key-1:[A-Za-z0-9+/]{43}=\n$`).Match(text) {
		t.Error("the file is not one line of a known form")
	}
	loaded, err := seal.LoadMaster(path)
	if err != nil {
		t.Fatal(err)
	}
	ring := filepath.Join(t.TempDir(), "keyring.db")
	ref := makeKeys(t, openAt(t, ring, made), 1)[0].Ref
	if _, err := openAt(t, ring, loaded).Key(t.Context(), ref); err != nil {
		t.Error("the key read back is another one:", err)
	}
}

func TestMasterKeyIsNeverWrittenOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	if _, err := seal.CreateMaster(path); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(path)
	_, err := seal.CreateMaster(path)
	if !errors.Is(err, fs.ErrExist) || erasure.CodeOf(err) != erasure.CodeInvalid {
		t.Errorf("CreateMaster = %v", err)
	}
	if after, _ := os.ReadFile(path); string(after) != string(before) {
		t.Error("the file changed")
	}
}

func TestFilesAreTheirOwnersAlone(t *testing.T) {
	for _, umask := range []int{0, 0o077, 0o777} {
		old := syscall.Umask(umask)
		dir, err := os.MkdirTemp("", "seal")
		if err == nil {
			err = os.Chmod(dir, 0o700)
		}
		defer os.RemoveAll(dir)
		if err == nil {
			var m seal.Master
			if m, err = seal.CreateMaster(filepath.Join(dir, "master.key")); err == nil {
				makeKeys(t, openAt(t, filepath.Join(dir, "keyring.db"), m), 1)
			}
		}
		syscall.Umask(old)
		if err != nil {
			t.Fatal(err)
		}
		checkModes(t, dir)
	}
}

func checkModes(t *testing.T, dir string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		i, err := f.Info()
		if err != nil || i.Mode() != 0o600 {
			t.Errorf("%s has mode %v, %v", f.Name(), i.Mode(), err)
		}
	}
	if len(files) != 4 { // master.key, keyring.db, its WAL and index
		t.Errorf("%d files", len(files))
	}
}

func TestBadMasterKeyFileGetsOneClearSentence(t *testing.T) {
	whole := "efface-master-key-1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
	for name, c := range map[string]struct {
		text string
		mode fs.FileMode
		says string
	}{
		"readable by the group": {whole, 0o640, "chmod 600"},
		"readable by others":    {whole, 0o604, "chmod 600"},
		"empty":                 {"", 0o600, "not a whole master key"},
		"cut off":               {whole[:40], 0o600, "not a whole master key"},
		"too long":              {strings.TrimSpace(whole) + "AAAA\n", 0o600, "not a whole master key"},
		"twice":                 {whole + whole, 0o600, "not a whole master key"},
		"another form":          {"AGE-SECRET-KEY-1", 0o600, "not a whole master key"},
		"bits after the end":    {strings.Replace(whole, "A=", "B=", 1), 0o600, "not a whole master key"},
	} {
		path := filepath.Join(t.TempDir(), "master.key")
		if err := os.WriteFile(path, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		_, err := seal.LoadMaster(path)
		var e *erasure.Error
		if !errors.As(err, &e) || !strings.Contains(e.Sentence, c.says) || !strings.Contains(e.Sentence, path) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "AAAAAA") {
			t.Errorf("%s: the error shows the key", name)
		}
	}
}

func TestMasterKeyFileWithOtherLineEndIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	text := "efface-master-key-1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	for _, end := range []string{"", "\n", "\r\n"} {
		if err := os.WriteFile(path, []byte(text+end), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := seal.LoadMaster(path); err != nil {
			t.Errorf("line end %q: %v", end, err)
		}
	}
}

func TestMissingMasterKeySaysWhatToDo(t *testing.T) {
	for _, path := range []string{
		filepath.Join(t.TempDir(), "master.key"),
		filepath.Join(t.TempDir(), "no", "such", "master.key"),
	} {
		_, err := seal.LoadMaster(path)
		if !errors.Is(err, fs.ErrNotExist) || erasure.CodeOf(err) != erasure.CodeInvalid {
			t.Errorf("LoadMaster = %v", err)
		}
	}
	_, err := seal.CreateMaster(filepath.Join(t.TempDir(), "no", "master.key"))
	if erasure.CodeOf(err) != erasure.CodeInvalid {
		t.Errorf("CreateMaster in no directory = %v", err)
	}
	_, err = seal.OpenKeyring(filepath.Join(t.TempDir(), "no", "keyring.db"), newMaster(t), storeID)
	if erasure.CodeOf(err) != erasure.CodeInvalid {
		t.Errorf("OpenKeyring in no directory = %v", err)
	}
}

func TestKeyringReadableByOthersIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyring.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.OpenKeyring(path, newMaster(t), storeID); erasure.CodeOf(err) != erasure.CodeInvalid {
		t.Errorf("OpenKeyring = %v", err)
	}
}
