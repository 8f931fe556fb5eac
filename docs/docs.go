// Package docs holds those pages and programs of docs/ that the console hands
// to whoever verifies evidence.
package docs

import _ "embed"

// Verifier is verify.py, which checks evidence without Efface.
//
//go:embed verify.py
var Verifier []byte

// Evidence is evidence.md, the format of all evidence.
//
//go:embed evidence.md
var Evidence []byte
