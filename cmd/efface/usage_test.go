package main

import (
	"strings"
	"testing"
)

func TestAMistypedCommandLineIsToldInASentence(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"frob":                                   "There is no command frob.",
		"serv":                                   "There is no command serv; did you mean serve?",
		"key lst":                                "There is no command lst; did you mean list?",
		"serve extra":                            "Leave extra out; it is not expected here.",
		"serve --no-such":                        "There is no flag --no-such.",
		"serve --list x":                         "There is no flag --list; did you mean --listen?",
		"serve --listen":                         "Give --listen a value.",
		"serve --trusted-proxy=here":             "Give --trusted-proxy a network such as 127.0.0.1/32.",
		"serve --base-url efface.example.com":    "Give --base-url a scheme and a host such as https://efface.example.com.",
		"serve --base-url https://a.example/b":   "Give --base-url a scheme and a host such as https://efface.example.com.",
		"serve --cancel-window soon":             "Give --cancel-window a duration such as 90d, 24h or 30s.",
		"serve --cancel-window=-1s":              "Give --cancel-window a duration such as 90d, 24h or 30s.",
		"serve --cancel-window -1s":              "Give --cancel-window a value; one that begins with a dash is written --cancel-window=-1s.",
		"serve --cancel-window=0":                "Give --cancel-window a duration longer than nothing.",
		"serve --rate-per-key few":               "Give --rate-per-key as a number.",
		"serve --rate-per-key NaN":               "Give --rate-per-key as 0, for any number, or more.",
		"demo --people many":                     "Give --people as a whole number.",
		"import":                                 "Give <file> as well.",
		"import --key CRM people.csv":            "Give --key as COLUMN=KEY.",
		"key create":                             "Give --name=N, --scope=S,... as well.",
		"operator create --email e --role king":  "Give --role as one of admin, operator, auditor.",
		"verify receipt r.json --key abc":        "Give --key as efface log key printed it.",
		"operator create --password-stdin=green": "Give --password-stdin without a value, or as --password-stdin=false.",
	} {
		e := efface(t, "", strings.Fields(line)...)
		if said, _, _ := strings.Cut(e.stderr, "\n"); e.code != exitUsage || said != "efface: "+want || e.stdout != "" {
			t.Errorf("efface %s ends with %d and says %q, not %q", line, e.code, e.stderr, want)
		}
	}
}

func TestWithoutACommandThoseThatThereAreAreListed(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{"": "reset-password", "key": "key revoke"} {
		e := efface(t, "", strings.Fields(line)...)
		if e.code != exitUsage || e.stdout != "" || !strings.Contains(e.stderr, want) {
			t.Errorf("efface %s ends with %d and says %q", line, e.code, e.stderr)
		}
	}
	for _, command := range []string{"serve", "demo"} {
		if e := must(t, "help", command); !strings.Contains(strings.Join(strings.Fields(e.stdout), " "), "(default 24h, $EFFACE_CANCEL_WINDOW)") {
			t.Errorf("the help of %s is %s", command, e.stdout)
		}
	}
}

func TestADirectoryThatIsAFileIsSaid(t *testing.T) {
	t.Parallel()
	file := write(t, "file", "")
	for _, data := range []string{file, file + "/below"} {
		efface(t, "", "serve", "--data", data).refused(t, "is not a directory")
		efface(t, "", "key", "list", "--data", data).refused(t, "is not a directory")
	}
}
