package main

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/efface/efface/handlers"
	"github.com/efface/efface/store"
	"github.com/efface/efface/store/erasure"
)

// span is a duration in Go's form, with d for days as well: 90d, 1d12h, 2s.
type span struct{ time.Duration }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *span) UnmarshalText(text []byte) error {
	rest, total := string(text), time.Duration(0)
	if days, after, found := strings.Cut(rest, "d"); found {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return fmt.Errorf("give a duration such as 90d, 24h or 30s")
		}
		total, rest = time.Duration(n)*24*time.Hour, after
	}
	if rest != "" {
		d, err := time.ParseDuration(rest)
		if err != nil || d < 0 {
			return fmt.Errorf("give a duration such as 90d, 24h or 30s")
		}
		total += d
	}
	if total <= 0 {
		return fmt.Errorf("give a duration longer than nothing")
	}
	s.Duration = total
	return nil
}

// String writes whole days as days.
func (s span) String() string {
	const day = 24 * time.Hour
	if s.Duration > day && s.Duration%day == 0 {
		return fmt.Sprintf("%dd", s.Duration/day)
	}
	text := s.Duration.String()
	for _, zero := range []string{"0s", "0m"} { // 24h0m0s is 24h
		if cut, ok := strings.CutSuffix(text, zero); ok && (strings.HasSuffix(cut, "m") || strings.HasSuffix(cut, "h")) {
			text = cut
		}
	}
	return text
}

// network is a range of addresses such as 10.0.0.0/8.
type network struct{ netip.Prefix }

// UnmarshalText implements encoding.TextUnmarshaler.
func (n *network) UnmarshalText(text []byte) (err error) {
	if n.Prefix, err = netip.ParsePrefix(string(text)); err != nil {
		return fmt.Errorf("give a network such as 127.0.0.1/32")
	}
	return nil
}

// baseURL is the scheme and host under which people reach the server.
type baseURL string

// UnmarshalText implements encoding.TextUnmarshaler.
func (u *baseURL) UnmarshalText(text []byte) error {
	parsed, err := handlers.ParseBaseURL(string(text))
	if err == nil {
		*u = baseURL(parsed.String())
	}
	return err
}

// keyLimit is how many identifiers of one key a profile may have.
type keyLimit int

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *keyLimit) UnmarshalText(text []byte) error {
	n, err := strconv.ParseInt(string(text), 10, 32)
	if err != nil || n < 1 || n > 1_000_000 {
		return fmt.Errorf("give a number from 1 to 1000000")
	}
	*l = keyLimit(n)
	return nil
}

// defaults are named by the flags that have them.
var defaults = kong.Vars{
	"listen":              "127.0.0.1:8080",
	"cancel_window":       span{store.DefaultCancelWindow}.String(),
	"suppress_for":        span{store.DefaultSuppressFor}.String(),
	"key_limit":           strconv.Itoa(store.DefaultKeyLimit),
	"keep_cancelled":      span{store.DefaultKeepCancelled}.String(),
	"keep_keyring_copies": span{store.DefaultKeepKeyringCopies}.String(),
	"keep_log":            span{store.DefaultKeepLog}.String(),
	"at_once":             strconv.Itoa(handlers.DefaultAtOncePerKey),
	"clevertap":           strconv.Itoa(handlers.DefaultCleverTapConcurrency),
	"scopes":              strings.Join(words(erasure.Scopes), ", "),
}

const variablePrefix = "EFFACE_"

// variable names the environment variable of a flag.
func variable(flag string) string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// variables gives a flag that is not on the command line its variable's value.
// An empty one counts as not set. A consent has none: it is given each time.
func variables(env func(string) (string, bool)) kong.ResolverFunc {
	return func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		if value, set := env(variable(flag.Name)); set && value != "" && hasVariable(flag.Name) {
			return value, nil
		}
		return nil, nil
	}
}

func hasVariable(flag string) bool {
	return flag != "help" && flag != "accept-loss" && flag != "without-witness"
}

// withVariable is a flag's help with its default and its variable.
func withVariable(value *kong.Value) string {
	switch {
	case value.Flag == nil || !hasVariable(value.Name):
		return value.Help
	case value.HasDefault:
		return fmt.Sprintf("%s (default %s, $%s)", value.Help, value.Default, variable(value.Name))
	}
	return fmt.Sprintf("%s ($%s)", value.Help, variable(value.Name))
}
