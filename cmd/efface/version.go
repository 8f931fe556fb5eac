package main

import (
	"fmt"
	"runtime"
)

type versionCommand struct{}

// Run implements the command.
func (versionCommand) Run(p program) error {
	_, err := fmt.Fprintf(p.stdout, "efface %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
