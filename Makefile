# Underseal. Every target prints what it does.
GO ?= go
.PHONY: run test check

test: ## all tests
	@echo "== go vet and test, this module"
	$(GO) vet ./...
	$(GO) test ./...
