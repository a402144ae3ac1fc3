# Underseal. Each target prints what it does; Go alone is needed for `make run` and `make build`.
GO ?= go

.DEFAULT_GOAL := help
.PHONY: help build run test check vectors attacks bench demo-tamper clean tools

help: ## this list
	@for first in run build test; do sed -nE "s/^($$first):.*## /\1\t/p" Makefile; done
	@sed -nE 's/^([a-z-]+):.*## /\1\t/p' Makefile | grep -vE '^(run|build|test)	' | sort

# Who tries the product waits for its first build, so: one set of flags for everything built for this machine, that the standard library is
# compiled once; nothing linked with C; no debugger's tables, which no stack trace needs; a compiler that collects no garbage before it holds
# half a gigabyte; and first of all everything compiled, for browsers and for this machine at once, so that there is work for every
# processor while modules are on their way.
build: export GOFLAGS := -trimpath -gcflags=all=-dwarf=false
build: export CGO_ENABLED := 0
build: export GOGC := off
build: export GOMEMLIMIT := 512MiB
build: ## the module, the screens and the binaries, into webapp/dist and bin
	@echo "== build: compile, for browsers and for this machine at once"
	@$(MAKE) --no-print-directory -j2 compile-for-browsers compile-for-here
	@echo "== build: module and screens"
	$(GO) run ./webapp/build
	@echo "== build: bin/underseal, bin/underseal-verify"
	$(GO) build -o bin/ ./cmd/underseal ./cmd/underseal-verify

.PHONY: compile-for-browsers compile-for-here
compile-for-browsers:
	GOOS=js GOARCH=wasm GOFLAGS=-trimpath $(GO) build ./wasm ./wasm/password

compile-for-here: # first what needs no module; the bundler last
	$(GO) build net/http
	$(GO) build ./webapp/build ./cmd/underseal ./cmd/underseal-verify
	$(GO) build -modfile=test/tools.mod github.com/evanw/esbuild/pkg/api github.com/evanw/esbuild/pkg/cli

run: build ## build everything and serve on http://localhost:8420, with data in ./data
	@echo "== run"
	./bin/underseal serve

tools: # what tests need beside Go: Chromium from Debian's packages, axe from npm
	@echo "== tools: Chromium, axe"
	@command -v chromium >/dev/null || { apt-get update -q && apt-get install -y -q --no-install-recommends chromium; }
	@[ -d test/node_modules/axe-core ] || npm --prefix test ci --no-audit --no-fund

# What is tested across packages lies outside the module of its tests, where Go does not see that it changed: -count=1.
test: tools build check ## every test, in real Chromium where it is about the browser
	@echo "== test: the product"
	$(GO) test ./...
	@echo "== test: across packages, kill -9, attacks, an identity provider"
	cd test && $(GO) test -count=1 -p 1 -timeout 60m ./client ./crash ./evilserver ./password ./sso
	@echo "== test: ten thousand wrong passwords at once"
	cd test && $(GO) test -v -count=1 ./load
	@echo "== test: other people's software reads and witnesses our log"
	cd test/interop && $(GO) test -count=1 ./...
	@echo "== test: an operator's changes by hand are noticed"
	cd test && $(GO) run ./demotamper
	@echo "== test: vectors"
	cd test && $(GO) test -v -count=1 -run TestVectors ./vectors
	@echo "== test: the story, in Chromium"
	cd test && $(GO) test -v -count=1 -timeout 60m ./e2e

check: ## formatting, vet, layout (also for js/wasm), types of the screens
	@echo "== check: gofmt, vet"
	@files=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$files" ] || { echo "gofmt would change: $$files"; exit 1; }
	$(GO) vet ./...
	cd test && $(GO) vet ./... && $(GO) test -count=1 ./arch ./spec
	cd test/interop && $(GO) vet ./...
	@echo "== check: types of the screens"
	@[ -d webapp/node_modules/typescript ] || npm --prefix webapp ci --no-audit --no-fund
	npm --prefix webapp run --silent check

vectors: tools ## every vector, natively, under Node and in Chromium; fails where UNDERSEAL_VECTORS, or else ../shared/vectors, is absent
	@echo "== vectors: native, Node, Chromium"
	cd test && $(GO) run ./vectors

.PHONY: verify-model
verify-model: ## the symbolic model of sharing and unlocking, and each protection turned off; needs proverif 2.05 in PATH, else prints SKIP
	@echo "== verify-model"
	cd test && $(GO) run ./model

attacks: ## the scorecard of the 88 published attacks
	@echo "== attacks"
	cd test && $(GO) run ./evilserver/scorecard

bench: tools build ## ratios against named peers; takes long, and alone on the machine
	@echo "== bench"
	cd test && $(GO) run ./bench

demo-tamper: build ## an operator changes his database by hand, in five ways, and is noticed each time
	@echo "== demo-tamper"
	cd test && $(GO) run ./demotamper

clean: ## remove what was built; data stays
	@echo "== clean"
	rm -rf bin test/out test/node_modules webapp/node_modules
	find webapp/dist -mindepth 1 ! -name .keep -delete
