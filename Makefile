# Headwater: every target says what it does in `make help`.
SHELL := bash
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -X github.com/headwater-iot/headwater/shared/buildinfo.linked=$(VERSION)
# Where make build puts the programs; the end-to-end tests have a place of their own.
BIN := bin/
# The agent's status page and MQTT speak HTTP/1.1 at most; HTTP/2 would be 320 kB of an armv6 binary.
AGENT_TAGS := nethttpomithttp2
export LDFLAGS AGENT_TAGS

.DEFAULT_GOAL := help
.PHONY: help build run test e2e qemu bench fuzz chaos lint fmt size cross package clean

help: ## list the targets
	@grep -E '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 8

build: ## build both programs into bin/
	CGO_ENABLED=0 go build -trimpath -tags $(AGENT_TAGS) -ldflags "-s -w $(LDFLAGS)" -o $(BIN) ./agent/cmd/headwater-agent
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w $(LDFLAGS)" -o $(BIN) ./gateway/cmd/headwater-gateway

run: ## run a gateway and an agent here and watch readings arrive; Ctrl-C stops both
	@scripts/run.sh

test: ## run all tests, most with the race detector; prints what was skipped and why
	@scripts/test.sh

e2e: ## the end-to-end tests with many more kills (minutes)
	HEADWATER_E2E=heavy go test -count 1 -v -timeout 60m ./scripts/e2e

qemu: ## test what runs on a device as armv6 and arm64, under qemu-user
	@scripts/qemu.sh

bench: ## print the figures of wire, outbox and gateway (BENCH=regexp, COUNT=n)
	@scripts/bench.sh

fuzz: ## run every fuzz target for FUZZTIME (20s)
	@scripts/fuzz.sh

chaos: ## kill everything at random, KILLS times (100; SEED=n repeats), then cut the power (as root)
	@scripts/chaos.sh

lint: ## check format, go vet and staticcheck
	@scripts/lint.sh

fmt: ## format the code
	GOBIN=$(CURDIR)/bin/tools go -C scripts/tools install tool
	git ls-files '*.go' | xargs bin/tools/gofumpt -w

size: ## print stripped sizes of the agent; fails above 9,000,000 bytes on armv6
	@scripts/cross.sh arm/6 arm64 amd64

cross: ## build both programs for all platforms and vet the agent for 32 bits
	@scripts/cross.sh arm/6 arm/7 arm64 riscv64 mips/softfloat mipsle/softfloat amd64
	@PROGRAM=gateway scripts/cross.sh amd64 arm64 riscv64
	GOOS=linux GOARCH=386 CGO_ENABLED=0 go vet ./agent/... ./shared/...

package: ## build all .deb, .rpm and .ipk into bin/packages, with sizes and SHA-256
	@scripts/package.sh

clean: ## remove what was built (not the data in var/)
	rm -rf bin .venv
