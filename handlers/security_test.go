package handlers

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/efface/efface/store/erasure"
)

func TestEveryAnswerHasTheSecurityHeaders(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Admin)
	for _, path := range []string{"/account", "/settings", "/nowhere", "/healthz", "/login", "/static/nothing"} {
		h := b.get(path).header
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
				"form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"X-Content-Type-Options":     "nosniff",
			"Referrer-Policy":            "same-origin",
			"Cross-Origin-Opener-Policy": "same-origin",
			"Cache-Control":              "no-store",
			"Strict-Transport-Security":  "",
		} {
			if h.Get(name) != want && !(name == "Cache-Control" && h.Get(name) == "") {
				t.Errorf("%s: %s is %q, want %q", path, name, h.Get(name), want)
			}
		}
	}
}

func TestPagesHaveNothingInline(t *testing.T) {
	st := newSite(t)
	b := st.signedIn(erasure.Admin)
	for _, path := range []string{"/login", "/account", "/settings", "/settings/keys", "/settings/operators", "/nowhere"} {
		a := b.get(path)
		if n := a.find("style, [style], script:not([src]), [onclick], [onload], [onsubmit], [src^='data:'], [href^='javascript:']").Length(); n != 0 {
			t.Errorf("%s has %d elements that the policy forbids", path, n)
		}
	}
}

func TestTheServersOwnReportsNameNoAddress(t *testing.T) {
	st := newSite(t)
	report := slog.NewLogLogger(withoutAddresses{st.server.config.Logger.Handler()}, slog.LevelWarn)
	for _, text := range []string{
		"http: TLS handshake error from 192.0.2.7:4711: EOF",
		"http: TLS handshake error from [2001:db8::7]:4711: EOF",
		"http: panic serving 2001:db8::7: boom",
	} {
		report.Print(text)
	}
	if log := st.log.String(); strings.Contains(log, "192.0.2") || strings.Contains(log, "db8") || !strings.Contains(log, "handshake error from") {
		t.Errorf("the log says %s", log)
	}
}

func TestHealthIsPlainAndReadyTellsNoCounts(t *testing.T) {
	st := newSite(t)
	st.requested(st.person("user_id", "u1"))
	if a := st.browser().get("/healthz").want(http.StatusOK); a.body != "ok\n" {
		t.Errorf("got %q", a.body)
	}
	if a := st.browser().get("/readyz").want(http.StatusOK); a.body != "ready\n" {
		t.Errorf("got %q", a.body)
	}
}

func TestABaseURLMustNameSchemeAndHost(t *testing.T) {
	st := newSite(t)
	for _, base := range []string{"", "efface.example.com", "ftp://efface.example.com", "https://", "https://efface.example.com/console"} {
		if _, err := New(st.db, Config{BaseURL: base}); err == nil {
			t.Errorf("%q is taken", base)
		}
	}
}
