# Underseal. Every target prints what it does.
GO ?= go
.PHONY: run test check

test: ## all tests
	@echo "== go vet and test, this module"
	$(GO) vet ./...
	$(GO) test ./...

build: ## the binary, with its screens
	@echo "== build: module, screens, binary"
	$(GO) run ./webapp/build
	$(GO) build -trimpath -o bin/underseal ./cmd/underseal
.PHONY: build
