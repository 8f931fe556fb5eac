package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/efface/efface/handlers"
)

// settings lists the flags of serve with the values that they have by now.
func settings(serve *kong.Node) (all []handlers.Setting) {
	for _, f := range serve.Flags {
		if f.Name == "help" {
			continue
		}
		value := fmt.Sprint(f.Target.Interface())
		if f.IsSlice() {
			value = strings.Join(strings.Fields(strings.Trim(value, "[]")), ", ")
		}
		if value == "" {
			value = "none"
		}
		all = append(all, handlers.Setting{Flag: "--" + f.Name, Variable: variable(f.Name), Value: value, Meaning: f.Help})
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
