# Needs Go, git and make, nothing else; `make race` also a C compiler.

bin  := bin/otelcol-hostscope
dist := build/otelcol-hostscope
tool := go tool -modfile=tools/go.mod

fuzztime ?= 10s

export CGO_ENABLED := 0
export GOWORK := off

.DELETE_ON_ERROR:
.PHONY: help build run test race lint generate check-generated vet-all fuzz bench test-vm clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: $(dist)/main.go ## bin/otelcol-hostscope, bin/hostscopectl
	cd $(dist) && go build -mod=mod -trimpath -buildvcs=false -ldflags='-s -w' -o ../../$(bin) .
	go build -trimpath -buildvcs=false -ldflags='-s -w' -o bin/hostscopectl ./cmd/hostscopectl

# The sources of the distribution, made anew when the manifest or a version has
# changed. -e lets `go mod tidy` pass over the tests of the Prometheus exporter,
# which import more of Prometheus than tools/prometheus has.
$(dist)/main.go: builder-config.yaml go.mod tools/go.mod tools/prometheus/go.mod
	rm -rf $(dist)
	mkdir -p $(dist)
	GOFLAGS="$$GOFLAGS -e" $(tool) builder --config builder-config.yaml --skip-compilation --skip-strict-versioning=false

run: build ## show this host on the console and on 127.0.0.1:9464/metrics; to $OTEL_EXPORTER_OTLP_ENDPOINT if set
	@$(bin) --config examples/quickstart.yaml $(if $(OTEL_EXPORTER_OTLP_ENDPOINT),--config examples/otlp.yaml)

test: build ## all tests
	go test ./...

race: build ## all tests under the race detector
	CGO_ENABLED=1 go test -race ./...

lint: ## gofmt, go vet, staticcheck
	@unformatted=$$(gofmt -l -s . | grep -v '^build/'); test -z "$$unformatted" || { echo "gofmt -s -w" $$unformatted; exit 1; }
	go vet ./...
	$(tool) staticcheck ./...

# mdatagen names what it generates after the folder, which may have any name:
# the root is reached through a link.
generate: ## everything that is made from metadata.yaml
	@mkdir -p build && ln -sfn '$(CURDIR)' build/hostscope
	@for metadata in build/hostscope/metadata.yaml scrapers/*/metadata.yaml extension/*/metadata.yaml; do \
		echo mdatagen $$metadata; $(tool) mdatagen $$metadata || exit 1; \
	done
	go generate ./...

# The working tree as git would store it, what is ignored left out.
tree := GIT_INDEX_FILE=build/check-generated.index sh -c 'git add --all && git write-tree'

check-generated: ## fail if `make generate` changes anything
	@mkdir -p build; before=$$($(tree)) && $(MAKE) --no-print-directory generate && after=$$($(tree)) && \
	git --no-pager diff --exit-code $$before $$after -- || { echo 'commit what `make generate` changed'; exit 1; }

vet-all: ## go vet for every system and architecture
	@for os in linux darwin freebsd openbsd netbsd; do for arch in amd64 arm64; do \
		echo go vet $$os/$$arch; GOOS=$$os GOARCH=$$arch go vet ./... || exit 1; \
	done; done

fuzz: ## every fuzz target, 10s each (or fuzztime=1m)
	@grep -rHo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | sed 's|/[^/]*:func | |' | while read -r dir name; do \
		go test -run='^$$' -fuzz="^$$name$$" -fuzztime=$(fuzztime) $$dir </dev/null || exit 1; \
	done

bench: ## all benchmarks, then the process scraper beside that of hostmetrics
	go test -run='^$$' -bench=. -benchtime=200ms -benchmem ./...
	cd bench && go run . -markdown

test-vm: ## the sensors on a real kernel, in a virtual machine (see test/vm/run.sh)
	test/vm/run.sh

clean: ## remove what was built
	rm -rf bin build
