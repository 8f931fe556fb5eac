# `make` alone lists the targets. Tools are run by `go run NAME@VERSION`, so
# the program's own go.mod stays free of them.

VERSION     := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
TEMPL        = go run github.com/a-h/templ/cmd/templ@$(shell go list -m -f '{{.Version}}' github.com/a-h/templ)
STATICCHECK := go run honnef.co/go/tools/cmd/staticcheck@v0.8.2
AIR         := go run github.com/air-verse/air@v1.67.4
GO_DIRS      = $(wildcard cmd docs handlers jobs static store views *.go)

DATA   ?= demo
LISTEN ?= 127.0.0.1:8080
PEOPLE ?= 10000

export CGO_ENABLED := 1
# Without this SQLite plans a statement anew whenever another value is bound to
# it, which takes ten times as long as running it. Statistics of its memory,
# which nobody reads, would have all connections wait for one lock. With the
# table of pages a scrub writes those that need it, and not the whole database.
export CGO_CFLAGS := -O2 -g -DSQLITE_ENABLE_QPSG -DSQLITE_DEFAULT_MEMSTATUS=0 -DSQLITE_ENABLE_DBPAGE_VTAB

.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: assets ## write bin/efface
	go build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/efface ./cmd/efface

run: build ## build, fill a demo store and serve it (DATA=demo LISTEN=127.0.0.1:8080 PEOPLE=10000)
	@bin/efface demo --data $(DATA) --listen $(LISTEN) --people $(PEOPLE)

dev: assets ## the same, and again at each change of a file
	$(AIR) -c .air.toml

test: lint assets chromium ## run all checks and tests
	go test -race -tags browser -timeout 20m ./...

soak: lint assets chromium ## the same tests with the full numbers
	EFFACE_SOAK=1 go test -race -tags browser -timeout 6h ./...

bench: ## measure find, intake and erasure
	go test -run '^$$' -bench . -benchmem -timeout 2h ./...

screenshots: assets chromium ## write docs/screenshots
	EFFACE_SCREENSHOTS=$(CURDIR)/docs/screenshots go test -count=1 -tags browser -timeout 10m -run TestScreenshots ./cmd/efface

lint: ## templ, gofmt, go vet and staticcheck
	@$(TEMPL) generate -check -log-level error -path views || { echo 'Run `make generate`: views/*_templ.go differ from their source.'; exit 1; }
	@copy=$$(mktemp -d) && cp views/*.templ $$copy && \
	  { $(TEMPL) fmt -fail -log-level error $$copy; status=$$?; rm -r $$copy; \
	    test $$status = 0 || { echo 'Run `make fmt`: the templates are not formatted.'; exit 1; }; }
	@files=$$(gofmt -l $(GO_DIRS)); test -z "$$files" || { echo "Run \`make fmt\`: $$files"; exit 1; }
	go vet -tags browser ./...
	$(STATICCHECK) -tags browser ./...

generate: ## write views/*_templ.go anew
	$(TEMPL) generate -log-level error -path views

fmt: ## format Go and templ
	$(TEMPL) fmt -log-level error views
	gofmt -w $(GO_DIRS)

assets: static/assets/icons.svg ## fetch CSS, JavaScript and icons by the lock file

static/assets/icons.svg: node_modules/.package-lock.json static/assets.mjs $(filter-out %_templ.go,$(wildcard views/*.templ))
	node static/assets.mjs

node_modules/.package-lock.json: package.json package-lock.json .npmrc
	npm ci --no-progress </dev/null
	@touch $@

chromium: ## install Chromium and curl for the tests where they are missing
	@if command -v curl >/dev/null && { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -q </dev/null && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends chromium fonts-liberation curl </dev/null; \
	else echo 'The tests need Chromium and curl: install the packages chromium, fonts-liberation and curl, then run make again.' >&2; exit 1; fi

clean: ## delete what was built, fetched and demonstrated
	rm -rf bin node_modules demo tmp
	find static/assets -type f ! -name .keep -delete

.PHONY: help build run dev test soak bench screenshots lint generate fmt assets chromium clean
