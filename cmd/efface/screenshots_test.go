//go:build browser

package main

import (
	"bytes"
	"fmt"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// shots takes pictures of pages and puts them into a directory.
type shots struct {
	*tab
	dir string
}

// take draws the whole page shown, at a width and in a colour scheme.
func (s shots) take(name string, width int64, scheme string) {
	s.t.Helper()
	s.look(width, scheme)
	s.until("the colours follow the system", fmt.Sprintf(`document.documentElement.dataset.bsTheme == %q`, scheme))
	height := do(s.tab, "height", chromedp.Evaluate[int64](`document.documentElement.scrollHeight`))
	do(s.tab, "resizing", chromedp.EmulateViewport(width, height))
	s.until("the page is drawn", `document.fonts.status == "loaded" && [...document.images].every(i => i.complete)`)
	picture := do(s.tab, name, chromedp.CaptureScreenshot())
	s.look(1280, "light")
	image, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		s.t.Fatal(err)
	}
	colours := map[color.Color]bool{}
	for y := 0; y < image.Bounds().Dy(); y += 3 {
		for x := 0; x < image.Bounds().Dx(); x += 3 {
			colours[image.At(x, y)] = true
		}
	}
	if got := image.Bounds().Dx(); int64(got) != width || len(colours) < 50 {
		s.t.Errorf("the picture of %s is %d px wide and has %d colours", name, got, len(colours))
	}
	if err := os.WriteFile(filepath.Join(s.dir, name+".png"), picture, 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// TestScreenshots writes the pictures of docs/screenshots where make
// screenshots says so.
func TestScreenshots(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("EFFACE_SCREENSHOTS")
	if dir == "" {
		dir = t.TempDir()
	} else if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	server := serve(t, 3, "demo", "--data", filepath.Join(t.TempDir(), "demo"), "--listen", "127.0.0.1:0", "--people", "200")
	s := shots{browse(t, server.base), dir}
	s.visit(linkIn(t, server.out[1]))
	s.press(`button[type="submit"]`)
	s.takeDeletion()
	s.takeBulk()
	s.takeLists()
	s.takeSettings()
}

func (s shots) takeDeletion() {
	s.visit("/find")
	s.take("find", 1280, "light")
	userID := s.find("email", "leonekohler@surfeu.de")
	s.take("profile", 1280, "light")
	s.press(".page-actions .btn-danger")
	s.fill("#reference", "DSR-2041")
	s.fill("#reason", "Asked for it by letter of 3 March.")
	s.fill("#confirm", "01890000-0000-7000-8000-000000000000")
	s.submit("/profiles/" + userID + "/delete")
	s.take("wrong-paste", 1280, "light")
	s.take("wrong-paste-narrow", 320, "dark")
	s.fill("#confirm", userID)
	s.submit("/profiles/" + userID + "/delete")
	s.take("requested", 1280, "light")
}

// takeBulk uploads a list with a line of every kind.
func (s shots) takeBulk() {
	list := "key,value\nemail,leonekohler@surfeu.de\nemail,nobody@example.com\nemail,\nefface_id,1042\n"
	for i := 30; i < 60; i++ {
		list += "email," + makePerson(i).email + "\n"
	}
	list += "email," + makePerson(30).email + "\n"
	s.visit("/bulk")
	s.fill("#reference", "DSR-2050")
	s.attach(list)
	s.take("bulk", 1280, "light")
	s.submit("/bulk")
	page := s.path()
	s.until("the list is checked", `document.querySelector("#confirm") != null`)
	s.take("bulk-preview", 1280, "light")
	s.fill("#confirm", s.text("tbody tr:first-child .num"))
	s.submit(page)
	s.until("the list is queued", `document.querySelector(".confirmation") != null`)
	s.take("bulk-done", 1280, "light")
	s.take("bulk-done-narrow", 320, "dark")
}

func (s shots) takeLists() {
	s.visit("/logs")
	s.take("logs", 1280, "light")
	s.take("logs-dark", 1280, "dark")
	s.take("logs-narrow", 320, "light")
	s.press(`#rows [id^="cancel-"]`)
	s.take("cancel", 1280, "light")
	s.visit("/suppressions")
	s.choose("#key", "email")
	s.fill("#value", makePerson(suppressedPerson).email)
	s.submit("/suppressions/check")
	s.take("suppression", 1280, "light")
	s.take("suppression-narrow", 320, "dark")
	s.submit("/suppressions/lift")
	s.take("lift", 1280, "light")
	s.visit("/logs?state=completed")
	s.press("#rows a")
	s.take("completed", 1280, "light")
	s.press("#receipt a")
	s.take("receipt", 1280, "light")
	s.take("receipt-narrow", 390, "dark")
	s.visit("/activity")
	s.take("activity", 1280, "light")
	s.press("tbody .num a")
	s.take("entry", 1280, "light")
	s.take("entry-narrow", 320, "dark")
}

func (s shots) takeSettings() {
	s.visit("/settings/keys")
	s.fill("#name", "crm-sync")
	s.choose(`[value="deletions:write"]`, "")
	s.submit("/settings/keys")
	s.take("keys", 1280, "dark")
	s.visit("/settings/operators")
	s.fill("#email", "sam@example.com")
	s.choose(`[value="operator"]`, "")
	s.submit("/settings/operators")
	s.take("operators", 1280, "light")
	s.visit("/status")
	s.take("status", 1280, "light")
	s.visit("/developers")
	s.take("developers", 1280, "light")
}
