# Every target does its own set-up, and is quick when nothing is left to set up. `make help` lists them.
SHELL := /bin/bash
MACHINE_PATH := $(PATH)
# bin/node is the pinned Node, for the tools of node_modules/.bin, too.
export PATH := $(CURDIR)/bin:$(CURDIR)/node_modules/.bin:$(PATH)
export UV_THREADPOOL_SIZE ?= 32
export NODE_COMPILE_CACHE ?= $(CURDIR)/.cache/compile
SETUP := node_modules/.package-lock.json
SITE_SETUP := site/node_modules/.package-lock.json
TESTS ?= 'src/**/*.test.ts' 'e2e/**/*.test.ts'
NAME ?= all
K ?= 6.12

.PHONY: help setup demo test test-kernel interop upgrade check bare bench bench-short sim sim-hunt format build lock datapath docs pages site site-test proto apt-test apt-kernel apt-bench apt-check apt-site
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{ printf "  make %-11s %s\n", $$1, $$2 }'

setup: $(SETUP) ## Node and the libraries into node_modules, which every other target does as well

demo: $(SETUP) ## two hosts, a registry, two agents, a service asked for by name, packets, nothing left behind (root)
	@bin/netloom demo

test: $(SETUP) apt-test ## all tests: units, fuzz, the real kernel in namespaces of their own, whole labs (root)
	@scripts/test.sh $(TESTS)

interop: $(SETUP) apt-test ## programs on upstream's SDK against ours, real packets between them (Go, root)
	@command -v go >/dev/null || { echo "interop: there is no Go here to build upstream's SDK with: install Go 1.24 or later (https://go.dev/dl)" >&2; exit 1; }
	@$(MAKE) --no-print-directory interop/.build/peer
	@scripts/test.sh 'interop/*.test.ts'

interop/.build/peer: $(wildcard interop/go/*.go) interop/go/go.mod interop/go/go.sum
	@echo "set-up: upstream's SDK (takes minutes, once)"
	cd interop/go && nice go build -trimpath -ldflags "-s -w" -o ../.build/peer .

test-kernel: $(SETUP) apt-test apt-kernel ## the tests that ask most of the kernel on a stock one of Debian in QEMU: K=6.12 or K=6.1 (root)
	@scripts/test-kernel.sh $(K)

upgrade: $(SETUP) apt-test ## a running mesh of the last release, upgraded to this version host by host (root)
	@scripts/with-release.sh scripts/test.sh e2e/upgrade-release.ts

check: $(SETUP) apt-check ## types, lint, format, dead code, generated files, plain words, the committed eBPF object
	tsc -p .
	oxlint --type-aware --max-warnings=0 src fixtures e2e interop bench scripts
	oxfmt --check src fixtures e2e interop bench scripts
	knip
	node scripts/docs.ts --check
	node scripts/words.ts
	@rm -rf .cache/proto && mkdir -p .cache/proto/out
	cd proto && buf generate --output ../.cache/proto/out
	diff -r .cache/proto/src/api/gen src/api/gen
	$(MAKE) --no-print-directory -C datapath check

bare: ## make demo and make test in a bare Debian system below /tmp, with several versions of npm (root)
	@scripts/bare.sh

bench: $(SETUP) apt-bench ## all benches, or NAME=kernel|throughput|registry|wire-setup|scale|restart|footprint|abuse|sim|release (root)
	@node scripts/bench.ts $(NAME)

bench-short: $(SETUP) apt-bench ## each bench for a moment: does every row still come? (root)
	@node scripts/bench.ts $(NAME) --short

sim: $(SETUP) ## simulated meshes under faults; SEED=7 replays one run and prints its history
	@node scripts/sim.ts --mesh $(SEED)

sim-hunt: $(SETUP) ## simulated meshes with fresh seeds until one fails (HUNT_SECONDS=60); prints its smallest list of faults
	@node scripts/sim.ts --hunt $(or $(HUNT_SECONDS),60)

format: $(SETUP) ## formats the sources
	oxfmt src fixtures e2e interop bench scripts

docs: $(SETUP) ## writes the generated documents: the command line, the errors, the schemas, the pictures
	node scripts/docs.ts

pages: $(SETUP) apt-test ## runs the commands of the pages (PAGE=upgrade: of one), and writes into them what is printed (root)
	NETLOOM_PAGES=write scripts/test.sh $(if $(PAGE),--test-name-pattern='$(PAGE)') e2e/pages.netns.test.ts

site: $(SETUP) $(SITE_SETUP) ## docs/ as static pages in site/dist; node site/serve.ts shows them
	cd site && node node_modules/vitepress/bin/vitepress.js build .

site-test: site apt-site ## the static pages in a real browser: links, search, light and dark, no request to anywhere else
	tsc -p site
	oxlint --type-aware --max-warnings=0 site
	oxfmt --check site
	node --test site/site.test.ts

proto: $(SETUP) ## generates src/api/gen from the wire contracts in proto/
	cd proto && buf generate

datapath: apt-check ## compiles the eBPF programs into datapath/build
	$(MAKE) --no-print-directory -C datapath

build: $(SETUP) ## compiles what is published into dist/
	node scripts/build.ts

lock: ## updates package-lock.json, and that of site/, after a change of package.json
	PATH="$(MACHINE_PATH)" npm install --package-lock-only --ignore-scripts --no-audit --no-fund
	node --disable-warning=ExperimentalWarning scripts/installed.ts --lock
	cd site && PATH="$(MACHINE_PATH)" npm install --package-lock-only --ignore-scripts --no-audit --no-fund

$(SETUP): export PATH := $(MACHINE_PATH)
$(SETUP): package-lock.json
	@scripts/setup.sh

$(SITE_SETUP): export PATH := $(MACHINE_PATH)
$(SITE_SETUP): site/package-lock.json
	@echo "set-up: npm ci in site (the generator of the static pages, once)"
	@npm ci --prefix site --ignore-scripts --include=dev --include=optional --no-audit --no-fund --no-update-notifier --loglevel=error
	@touch $@

apt-test:
	@scripts/apt.sh test iproute2 iputils-ping iperf3 tcpdump util-linux procps nftables iptables
apt-kernel:
	@scripts/apt.sh test-kernel qemu-system-x86 busybox-static kmod
apt-bench:
	@scripts/apt.sh bench iproute2 iputils-ping iperf3 ethtool
apt-site:
	@scripts/apt.sh site-test chromium
apt-check:
	@scripts/apt.sh check clang llvm
