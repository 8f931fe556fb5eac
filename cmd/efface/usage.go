package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"
)

// mistakes turn what the parser says of a command line into sentences: its
// errors have texts and no types. The first that fits counts.
var mistakes = []struct {
	said     *regexp.Regexp
	sentence string
}{
	{regexp.MustCompile(`^unknown flag (\S+), did you mean (.+)\?$`), `There is no flag $1; did you mean $2?`},
	{regexp.MustCompile(`^unknown flag (\S+)$`), `There is no flag $1.`},
	{regexp.MustCompile(`^unexpected command (.+), did you mean (.+)\?$`), `There is no command $1; did you mean $2?`},
	{regexp.MustCompile(`^unexpected command (.+)$`), `There is no command $1.`},
	{regexp.MustCompile(`^unexpected argument (\S+)`), `Leave $1 out; it is not expected here.`},
	{regexp.MustCompile(`^missing flags: (.+)$`), `Give $1 as well.`},
	{regexp.MustCompile(`^expected "(.+)"$`), `Give $1 as well.`},
	{regexp.MustCompile(`^(\S+) must be one of (.+) but got`), `Give $1 as one of $2.`},
	{regexp.MustCompile(`^(\S+): expected .+; perhaps try (.+)\?$`), `Give $1 a value; one that begins with a dash is written $2.`},
	{regexp.MustCompile(`^(\S+): expected .+ but got "EOL"`), `Give $1 a value.`},
	{regexp.MustCompile(`^(\S+): expected a valid \d+ bit u?int `), `Give $1 as a whole number.`},
	{regexp.MustCompile(`^(\S+): expected a float `), `Give $1 as a number.`},
	{regexp.MustCompile(`^(\S+): expected "<key>=<value>" `), `Give $1 as COLUMN=KEY.`},
	{regexp.MustCompile(`^(\S+): bool value must be `), `Give $1 without a value, or as $1=false.`},
	{regexp.MustCompile(`^(\S+): give (.+)$`), `Give $1 $2.`}, // the values of flags.go
}

// misused says what is wrong with a command line. Where a command is missing,
// it lists those that there are.
func (p program) misused(parser *kong.Kong, err error) int {
	node := parser.Model.Node
	var parsed *kong.ParseError
	if errors.As(err, &parsed) && parsed.Context.Selected() != nil {
		node = parsed.Context.Selected()
	}
	said := err.Error()
	if parsed != nil && len(node.Children) > 0 && strings.HasPrefix(said, "expected ") {
		parser.Stdout = p.stderr
		if err := parsed.Context.PrintUsage(false); err != nil {
			return p.fail(err)
		}
		return exitUsage
	}
	if len(node.Children) > 0 {
		said = strings.Replace(said, "unexpected argument", "unexpected command", 1)
	}
	fmt.Fprintf(p.stderr, "efface: %s\n%s --help says how it is used.\n", sentence(said), node.FullPath())
	return exitUsage
}

func sentence(said string) string {
	for _, m := range mistakes {
		if at := m.said.FindStringSubmatchIndex(said); at != nil {
			text := string(m.said.ExpandString(nil, m.sentence, said, at))
			return strings.ReplaceAll(strings.ReplaceAll(text, `","`, `, `), `"`, "")
		}
	}
	return said
}
