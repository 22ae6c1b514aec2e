# Everything runs with Go alone; race also wants a C compiler and is left out,
# with a message, where there is none.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GO      ?= go
ARGS    ?=
BIN     := bin/fondue
RELEASE := $(shell git describe --tags --always --dirty 2>/dev/null)
TOOL    := $(GO) tool -modfile=tools/go.mod

# Extent of the long targets.
KILLS      ?= 10000
EVENTS     ?= 1000
FUZZ_TIME  ?= 30s
BENCH_ARGS ?=

# Packages whose tests drive the heap-backed region or none: where the race
# detector sees everything that they touch.
RACE := ./internal/shm ./internal/command ./internal/dump ./internal/httpapi ./internal/handoff ./internal/logging ./internal/listen ./internal/master ./internal/screen ./internal/socket ./internal/worker
# Tests of one goroutine, which the detector has nothing to say about and makes
# ten times as long.
RACE_SKIP := ScanIsEvery|LargestValue|NoLine|Flipped|Violation|DeadHolder|Model|Rebuild|SmallValues|Churn|Damage|FullStill|KeepsWhatIsUsed|NeverRefuses|ComesRound|Described

.PHONY: help build run test race crash soak fuzz lint fmt bench bench-build bench-peers clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo '  make run ARGS="--workers 4 --listen :8080" passes flags to the server'

build: ## Build bin/fondue, static
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-X main.release=$(RELEASE)' -o $(BIN) ./cmd/server

run: build ## Build and serve on 127.0.0.1:8000; ARGS="..." passes flags
	@exec $(BIN) serve $(ARGS)

test: ## Run every test: units, mapped regions, many processes, the real binary
	$(GO) test ./...

race: ## Run the tests under the race detector, over heap-backed regions
	@if [ "$$(CGO_ENABLED=1 $(GO) env CGO_ENABLED)" = 1 ] && command -v "$$($(GO) env CC)" >/dev/null; then \
		echo '$(GO) test -race -short -skip "$(RACE_SKIP)" $(RACE)'; \
		CGO_ENABLED=1 $(GO) test -race -short -skip '$(RACE_SKIP)' $(RACE); \
	else \
		echo 'race: skipped, the race detector needs a C compiler (install gcc or clang)'; \
	fi

crash: ## Crash at every store, with seeded mistakes, then KILLS=10000 killed processes
	$(GO) test -tags crashpoints -run 'Crash|Mistakes' -count 1 -timeout 1h ./internal/shm
	FONDUE_KILLS=$(KILLS) $(GO) test -run '^TestKilledProcesses$$' -v -count 1 -timeout 2h ./internal/shm

soak: ## Reload, upgrade, scale, kill and stop a server under load, EVENTS=1000 times
	FONDUE_SOAK=$(EVENTS) $(GO) test -run '^TestSoak$$' -v -count 1 -timeout 2h ./internal/e2e

# Inputs are not made smaller for long: what else runs in a server under test covers
# other code each time, and would keep the fuzzer at it.
fuzz: ## Run every fuzz target for a while; FUZZ_TIME=30s
	@for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' "$$package" | grep '^Fuzz' || true); do \
			echo "$$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZ_TIME) -fuzzminimizetime 1s "$$package"; \
		done; \
	done

lint: ## Run vet, the rules of the tree, staticcheck, gofumpt and deadcode
	$(GO) vet ./...
	$(GO) vet -tags crashpoints ./internal/shm
	$(GO) test -count 1 ./internal/lint
	@if $(TOOL) staticcheck -version >/dev/null 2>&1; then \
		echo 'staticcheck, gofumpt, deadcode'; \
		$(TOOL) staticcheck ./...; \
		$(TOOL) staticcheck -tags crashpoints ./internal/shm; \
		unformatted=$$($(TOOL) gofumpt -l bench cmd internal); \
		if [ -n "$$unformatted" ]; then echo "not as gofumpt writes it, run make fmt: $$unformatted"; exit 1; fi; \
		dead=$$($(TOOL) deadcode -test -tags crashpoints ./...); \
		if [ -n "$$dead" ]; then echo "$$dead"; exit 1; fi; \
	else \
		echo 'lint: staticcheck, gofumpt and deadcode skipped, tools/go.mod could not be fetched'; \
	fi

fmt: ## Rewrite the sources as gofumpt does, or gofmt without it
	@if $(TOOL) gofumpt -version >/dev/null 2>&1; then \
		$(TOOL) gofumpt -w bench cmd internal; \
	else \
		gofmt -w bench cmd internal; \
	fi

bench: build bench-build ## Measure, in process and beside others; BENCH_ARGS="-targets all -workers 1,2 -json r.json"
	$(GO) test -run '^$$' -bench . -benchmem -count 3 ./internal/shm
	@bin/bench $(BENCH_ARGS)

bench-build: ## Build bin/bench and the servers that it brings along
	@CGO_ENABLED=0 $(GO) build -trimpath -o bin/bench ./bench
	@CGO_ENABLED=0 $(GO) build -trimpath -o bin/constant ./bench/constant
	@CGO_ENABLED=0 $(GO) build -trimpath -o bin/goredis ./bench/goredis

# Debian's packages of the servers that bench compares with, and what makes Python's as fast as they can be:
# uvicorn and redis use the last three where they are.
PEERS := nginx libnginx-mod-http-lua redis-server postgresql python3-fastapi uvicorn gunicorn python3-redis python3-asyncpg \
	python3-uvloop python3-httptools python3-hiredis

bench-peers: ## Install what bench compares with, where it may, or say what to install
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -q $(PEERS); \
		echo 'bench starts servers of its own: where these packages started some, you may disable them'; \
	else \
		echo 'bench-peers: not root, or no apt-get; apt-get install $(strip $(PEERS))'; \
	fi

clean: ## Remove what was built
	@rm -rf bin
