package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// setting is a flag as Settings shows it.
type setting = struct{ Flag, Variable, Value, Meaning string }

// settings lists the flags of serve as they are in force.
func settings(serve *kong.Node) (all []setting) {
	for _, f := range serve.Flags {
		if f.Name == "help" {
			continue
		}
		value := fmt.Sprint(f.Target.Interface())
		if f.IsSlice() {
			value = strings.Join(strings.Fields(strings.Trim(value, "[]")), ", ")
		}
		all = append(all, setting{"--" + f.Name, variable(f.Name), value, f.Help})
	}
	return all
}

// serveNode finds serve among the commands: a demo has its settings too.
func serveNode(k *kong.Kong) *kong.Node {
	for _, n := range k.Model.Children {
		if n.Name == "serve" {
			return n
		}
	}
	return &kong.Node{}
}
