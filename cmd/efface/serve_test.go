package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestServePrintsItsAddressAndALinkForTheFirstAdmin(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	s := serve(t, 2, "serve", "--data", data, "--listen", "127.0.0.1:0")
	if !strings.Contains(s.out[1], s.base+"/link/") {
		t.Errorf("the second line is %q", s.out[1])
	}
	resp, err := http.Get(s.base + "/healthz")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("/healthz gives %v, %v", resp, err)
	}
	if code := s.stop(t); code != 0 {
		t.Errorf("after SIGTERM the server ended with %d: %s", code, s.log)
	}

	must(t, "operator", "create", "--data", data, "--email", "ann@example.com", "--role", "admin")
	s = serve(t, 1, "serve", "--data", data, "--listen", "127.0.0.1:0")
	if code := s.stop(t); code != 0 {
		t.Errorf("after SIGTERM the server ended with %d: %s", code, s.log)
	}
}

func TestFilesAreTheOwnersAloneAndCoreDumpsAreOff(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	s := serve(t, 1, "serve", "--data", data, "--listen", "127.0.0.1:0")
	for file, want := range map[string]string{"limits": "Max core file size        0                    0", "coredump_filter": "00000000"} {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", s.Process.Pid, file))
		if err != nil || !strings.Contains(string(b), want) {
			t.Errorf("%s holds %q, %v", file, b, err)
		}
	}
	err := filepath.Walk(data, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("others have access to %s: %s", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	s.stop(t)
}

func TestASecondServerIsRefusedAndCommandsAreNot(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	s := serve(t, 2, "serve", "--data", data, "--listen", "127.0.0.1:0")
	efface(t, "", "serve", "--data", data, "--listen", "127.0.0.1:0").refused(t, "Another Efface is already running on "+data)

	if e := must(t, "import", "--data", data, people(t, 10)); !strings.Contains(e.stderr, "10 added") {
		t.Errorf("import beside the server says %q", e.stderr)
	}
	key := strings.TrimSpace(must(t, "key", "create", "--data", data, "--name", "script", "--scope", "customerlabs").stdout)
	req, _ := http.NewRequest("POST", s.base+"/user-deletion/", strings.NewReader(`{"identify_by_key":"email","identify_by_value":"u3@example.com"}`))
	req.Header.Set("X-API-Key", key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK || !strings.Contains(string(b), "added to queue") {
		t.Errorf("the server answers %d %s to the key and for the person that commands made", resp.StatusCode, b)
	}
	s.stop(t)
}

func TestAnAddressInUseIsSaid(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	efface(t, "", "serve", "--data", t.TempDir(), "--listen", l.Addr().String()).refused(t, "Another program listens on "+l.Addr().String())
}

func TestServeRefusesSettingsThatCannotHold(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	for flag, want := range map[string]string{
		"--time-zone=Mars/Olympus":   "There is no time zone",
		"--at-once-per-key=0":        "1 or more",
		"--clevertap-concurrency=-1": "0, for any number",
		"--keep-log=90d":             "730d or more",
		"--phone-region=XX":          "two ISO letters",
	} {
		efface(t, "", "serve", "--data", data, flag).misused(t, want)
	}
	if _, err := os.Stat(data); err == nil {
		t.Error("the directory was made")
	}
	efface(t, "", "serve", "--data", data, "--listen=nowhere").refused(t, "It is not possible to listen on nowhere")
}

func TestAnotherPhoneRegionIsRefusedLater(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	s := serve(t, 2, "serve", "--data", data, "--listen", "127.0.0.1:0", "--phone-region", "de")
	s.stop(t)
	efface(t, "", "serve", "--data", data, "--listen", "127.0.0.1:0", "--phone-region", "FR").refused(t, "phone numbers as of DE")
	efface(t, "", "import", "--data", data, "--phone-region", "FR", people(t, 1)).refused(t, "phone numbers as of DE")
}

func TestSIGTERMLetsARequestUnderWayEnd(t *testing.T) {
	t.Parallel()
	s := serve(t, 2, "serve", "--data", filepath.Join(t.TempDir(), "data"), "--listen", "127.0.0.1:0")
	conn, answer := underWay(t, s)
	if err := s.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for { // until nothing new is taken
		c, err := net.Dial("tcp", conn.RemoteAddr().String())
		if err != nil {
			break
		}
		c.Close()
	}
	fmt.Fprint(conn, strings.Repeat("x", loginBody))
	resp, err := http.ReadResponse(answer, nil)
	if err != nil || resp.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("the request under way gets %v, %v", resp, err)
	}
	if err := s.Wait(); err != nil {
		t.Errorf("the server ended with %v: %s", err, s.log)
	}
}

func TestAKeyUsedRightBeforeTheServerStopsIsNoted(t *testing.T) {
	t.Parallel()
	data := newStore(t)
	key := must(t, "key", "create", "--data", data, "--name", "script", "--scope", "deletions:read").stdout
	s := serve(t, 2, "serve", "--data", data, "--listen", "127.0.0.1:0")
	req, _ := http.NewRequest("GET", s.base+"/api/v1/deletions", nil)
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(key))
	if resp, err := http.DefaultClient.Do(req); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("the API answers %v, %v", resp, err)
	}
	if code := s.stop(t); code != 0 {
		t.Errorf("the server ended with %d: %s", code, s.log)
	}
	if list := must(t, "key", "list", "--data", data).stdout; strings.Count(list, " UTC") != 2 { // made and used
		t.Errorf("the key's use is not noted:\n%s", list)
	}
}

func TestSIGTERMEndsWithin10SecondsWhateverClientsDo(t *testing.T) {
	t.Parallel()
	s := serve(t, 2, "serve", "--data", filepath.Join(t.TempDir(), "data"), "--listen", "127.0.0.1:0")
	underWay(t, s) // and never ends
	began := time.Now()
	code := s.stop(t)
	if took := time.Since(began); code != 0 || took > 10*time.Second {
		t.Errorf("the server ended with %d after %s", code, took)
	}
}

const loginBody = 40

// underWay begins a sign-in whose body does not come yet, and returns once the
// server waits for it.
func underWay(t *testing.T, s *served) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "POST /login HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", loginBody)
	answer := bufio.NewReader(conn)
	line, err := answer.ReadString('\n')
	if err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("the server says %q, %v", line, err)
	}
	if _, err := answer.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return conn, answer
}

func TestMetricsStandOnTheOpsAddressAlone(t *testing.T) {
	t.Parallel()
	ops := freeAddress(t)
	s := serve(t, 2, "serve", "--data", filepath.Join(t.TempDir(), "data"), "--listen", "127.0.0.1:0", "--ops-listen", ops)
	page, err := http.Get(s.base + "/profiles/ann@example.com")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, page.Body); err != nil { // it is counted before it ends
		t.Fatal(err)
	}
	resp, err := http.Get("http://" + ops + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(resp.Body)
	if strings.Contains(string(b), "ann@") {
		t.Error("a path stands in the metrics")
	}
	for _, want := range []string{`efface_http_request_duration_seconds_count{method="GET",route="/profiles/{`, `efface_requests{state="pending"} 0`, "efface_oldest_due_seconds 0", "efface_clock_held_seconds 0", `efface_suppressed_calls_total{kept="nothing"} 0`, "go_goroutines"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("/metrics lacks %q", want)
		}
	}
	for _, path := range []string{"/metrics", "/debug/pprof/"} {
		resp, err := http.Get(s.base + path)
		if err != nil || resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s of the pages' address gives %v, %v", path, resp, err)
		}
	}
	if resp, err := http.Get("http://" + ops + "/debug/pprof/"); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("pprof gives %v, %v", resp, err)
	}
	s.stop(t)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestWithoutAssetsServeSaysWhatToRun(t *testing.T) {
	t.Parallel()
	var stderr strings.Builder
	code := run(t.Context(), []string{"serve", "--data", t.TempDir()}, program{
		stdin: strings.NewReader(""), stdout: io.Discard, stderr: &stderr,
		env: os.LookupEnv, assets: func() error { return os.ErrNotExist },
	})
	ended{code: code, stderr: stderr.String()}.refused(t, "run make build")
}

func TestTheAddressAndTheBaseURLArePrintedApart(t *testing.T) {
	t.Parallel()
	data := t.TempDir() + "/data"
	s := serve(t, 3, "serve", "--data", data, "--listen", "127.0.0.1:0", "--base-url", "https://efface.example.com")
	if !strings.HasPrefix(s.base, "http://127.0.0.1:") || s.out[1] != "Its base URL is https://efface.example.com" ||
		!strings.Contains(s.out[2], "https://efface.example.com/link/") {
		t.Errorf("the server prints %q", s.out)
	}
	s.stop(t)
	s = serve(t, 2, "serve", "--data", data, "--listen", "0.0.0.0:0")
	port := s.base[strings.LastIndex(s.base, ":"):]
	if strings.Contains(s.base, "127.0.0.1") || s.out[1] != "Its base URL is http://127.0.0.1"+port {
		t.Errorf("where it listens on every address the server prints %q", s.out)
	}
	s.stop(t)
}
