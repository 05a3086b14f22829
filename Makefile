# redis-session-bot. `make demo` and `make test` do all set-up by themselves.
SHELL := /bin/bash
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo devel)
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
FAULT ?= config-error
SHAPE ?= deployment
# What make try shows.
RECORD ?= runbooks/testdata/bundles/config-error-deployment
# The lab's own packages; cmd/kube is Kubernetes itself and is only compiled.
LAB = $$(go list ./... | grep -v /cmd/kube)
# What is tried on the machine's one cluster; lab/cluster makes one of its own. The Role rule by rule, and every change
# against everything that goes wrong, take their time: make test-long tries them. Those that have several stores at once
# need the machine for themselves; of the others two at a time mostly wait, those first that wait longest.
CROWDED = ./live/fixes ./live/trouble ./live/verdicts
PATIENT = ./live/store ./live/volumes ./live/alerts ./live/install ./faults ./live/audit
LIVE = $(PATIENT) $$(go list ./... | grep -v -e /cmd/kube -e /lab/cluster$$ -e /live/role$$ -e /live/changes$$ $(patsubst .%,-e /lab%$$,$(CROWDED) $(PATIENT)))
# What the race detector looks at in the stores: reading files that are cut off at any byte is slow under it, and one
# goroutine's. It does not look at what else is one goroutine's, pressed in a browser, or read from the documents.
RACES = TestStore|TestWatch|TestASecondProcess|While|Under|Two
CALM = ./internal/picture ./internal/runbook ./internal/slack/slacktest/browser ./internal/slack/slacktest/page ./runbooks
DOCUMENTS = TestTheShippedRulesFire|TestTheAlertsDocsCanBeCopied|TestTheDocumentedCommands|TestDocsAreWhatTheBotDoes|TestTheExampleProposesItsFix|TestFormsOnThePage
# go vet is lint's: go test need not do a part of it again.
GOTEST = go test -vet=off

# How many seeds of the fault campaign are run, and the first of them.
RUNS ?= 1000
SEED ?= 1

.PHONY: help build lab try demo drill test raced calm test-long chaos lint verdicts fixes inside pictures vulncheck release go set-up bench

help: ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 12

go:
	@command -v go >/dev/null || { echo "Go is missing: install Go 1.26 or newer from https://go.dev/dl and put it on PATH."; exit 1; }

build: go ## bin/bot
	@mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/bot ./cmd/bot

lab: go ## bin/lab
	@mkdir -p bin
	cd lab && CGO_ENABLED=0 go build -trimpath -ldflags "-X main.version=$(VERSION)" -o ../bin/lab ./cmd/lab

try: build ## a recorded incident in a local Slack, without a cluster (RECORD=a bundle)
	@mkdir -p bin
	@cd lab && CGO_ENABLED=0 go build -trimpath -o ../bin/try ./cmd/try
	@bin/try --from $(RECORD)

demo: build lab ## a broken store on a real Kubernetes, the bot, and a local Slack (FAULT=…, SHAPE=…)
	@bin/lab demo --fault $(FAULT) --shape $(SHAPE)

drill: build lab ## practise: a fault that nobody is told, the alert, the clock, and a score card
	@bin/lab drill

set-up:
	@scripts/chromium && scripts/node && scripts/redis && scripts/prometheus

lint: go ## go vet, staticcheck and gofmt over both modules
	@echo "lint: gofmt"; unformatted=$$(gofmt -l cmd internal runbooks lab); test -z "$$unformatted" || { echo "gofmt these: $$unformatted"; exit 1; }
	@echo "lint: go vet"; go vet ./... && cd lab && go vet $(LAB)
	@echo "lint: staticcheck"; go run $(STATICCHECK) ./... && cd lab && go run $(STATICCHECK) $(LAB)

test: build lab set-up lint ## everything, on a real cluster; about 20 minutes on two cores once Kubernetes is compiled
	@echo "test: packages, with the race detector and, where one goroutine does it all, without it"
	@$(MAKE) --no-print-directory -j2 raced calm
	@echo "test: the lab's cluster"
	cd lab && $(GOTEST) -count=1 -timeout 20m -skip '^TestLife$$' ./cluster
	@echo "test: live, on a real Kubernetes"
	@was=$$(bin/lab status >/dev/null 2>&1 && echo up); \
	bin/lab up --cluster-only || exit 1; \
	(cd lab; $(GOTEST) -count=1 -short -p 2 -timeout 20m $(LIVE); result=$$?; $(GOTEST) -count=1 -short -p 1 -timeout 20m $(CROWDED) && exit $$result); result=$$?; \
	if [ -z "$$was" ]; then bin/lab down || result=1; fi; \
	exit $$result

# They wait a lot, for browsers and for disks: they run beside each other.
raced: go
	$(GOTEST) -race -skip '$(DOCUMENTS)' $$(go list ./... | grep -v -x -F "$$(go list $(CALM) ./internal/store/...)")
	$(GOTEST) -race -run '$(RACES)' ./internal/store/...

calm: go
	$(GOTEST) -p 1 $(CALM)
	$(GOTEST) -p 1 -skip '$(RACES)' ./internal/store/...
	$(GOTEST) -run '$(DOCUMENTS)' ./cmd/bot

test-long: test ## everything of test, every fault, its verdict and its fix, the life of a cluster, and the fuzz targets for a minute each
	cd lab && go test -count=1 -timeout 20m -run '^TestLife$$' ./cluster
	@bin/lab up --cluster-only
	(cd lab && go test -count=1 -p 1 -timeout 120m ./faults ./live/verdicts ./live/fixes ./live/look ./live/store ./live/audit ./live/changes ./live/trouble ./live/volumes ./live/role ./drill); result=$$?; bin/lab down; exit $$result
	@for target in internal/redisconf:FuzzParse internal/redact:FuzzText internal/runbook:FuzzLoad internal/runbook:FuzzSigns internal/evidence:FuzzOpen \
	  internal/commands:FuzzHandle internal/slack:FuzzBlocks internal/report:FuzzNothingThatIsSaidBreaksTheReport; do \
	  echo "fuzz: $$target"; go test ./$${target%%:*} -run '^$$' -fuzz "^$${target##*:}$$" -fuzztime 60s -fuzzminimizetime 10x || exit 1; done

chaos: go ## 1,000 seeded runs of two replicas, people and alerts against faults of everything (RUNS=, SEED=)
	go test -count=1 -timeout 60m -v -run '^TestCampaign$$' ./internal/chaos -args -runs $(RUNS) -seed $(SEED) | grep -v -E '^ *(===|--- PASS)'; exit $${PIPESTATUS[0]}

verdicts: build lab ## break a store in every way and hold the verdict against it; records bundles and docs/verdicts.md
	@was=$$(bin/lab status >/dev/null 2>&1 && echo up); \
	bin/lab up --cluster-only || exit 1; \
	(cd lab && go test -count=1 -timeout 60m -v -run TestVerdicts ./live/verdicts -args -record); result=$$?; \
	if [ -z "$$was" ]; then bin/lab down || result=1; fi; \
	exit $$result

fixes: build lab ## break a store in every way and mend it through Slack; records docs/fixes.md
	@was=$$(bin/lab status >/dev/null 2>&1 && echo up); \
	bin/lab up --cluster-only || exit 1; \
	(cd lab && go test -count=1 -timeout 90m -v -run TestFixes ./live/fixes -args -record); result=$$?; \
	if [ -z "$$was" ]; then bin/lab down || result=1; fi; \
	exit $$result

inside: build lab ## the fixes, the refusals and a bot that is killed once more, with the bot in the cluster under the chart's Role
	@was=$$(bin/lab status >/dev/null 2>&1 && echo up); \
	bin/lab up --cluster-only || exit 1; \
	(cd lab && go test -count=1 -p 1 -timeout 120m -v -run 'TestFixes|TestFallback|TestKilled|TestRefusals' ./live/fixes ./live/trouble -args -inside); result=$$?; \
	if [ -z "$$was" ]; then bin/lab down || result=1; fi; \
	exit $$result

bench: build lab ## time, requests, memory and acknowledgements, measured into docs/benchmarks.md; about 10 minutes
	cd lab && CGO_ENABLED=0 go build -trimpath -o ../bin/kubectl ./bench/kubectl
	@was=$$(bin/lab status >/dev/null 2>&1 && echo up); \
	bin/lab up --cluster-only || exit 1; \
	(cd lab && go run ./bench); result=$$?; \
	if [ -z "$$was" ]; then bin/lab down || result=1; fi; \
	exit $$result

vulncheck: go ## whether the bot calls anything that is known to be vulnerable
	@scripts/vulncheck

release: vulncheck ## binaries, image, bills of materials and checksums of the commit, in dist; refused where vulncheck finds something
	@cd lab && go run ./cmd/release

pictures: build lab set-up ## the pictures of the README, taken from the running bot
	@bin/lab pictures docs/pictures
