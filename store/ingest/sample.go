package ingest

import (
	"embed"
	"io/fs"
)

//go:embed testdata/chinook-customers.csv testdata/chinook-invoices.ndjson
var samples embed.FS

// Sample opens the sample data that a demo store is filled with:
// chinook-customers.csv or chinook-invoices.ndjson. Its licence stands beside
// it in testdata/README.md.
func Sample(name string) (fs.File, error) { return samples.Open("testdata/" + name) }
