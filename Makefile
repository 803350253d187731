# Every target is one script in scripts/, run by the Python that scripts/tools.py installs. `make` lists them.
# PORT    of the local AWS, and the next two for made-up providers: 4566 unless given or already running on another; two
#         checkouts can run side by side
# STACK   name of the stack on AWS, and of its secret: rollcall unless given
# ARCH    x86_64 or arm64, for AWS: the deployed one, or else this machine's, unless given

PYTHON = .local/tools/sam/bin/python
export PYTHONDONTWRITEBYTECODE = 1
export ARCH SET ADOPT CONFIRM DOCTOR
.DEFAULT_GOAL := help
.PHONY: help run up down test soak planted model bench cost usage profile build secret deploy rotate rollback restore front destroy logs fmt lint advisories tools

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s%s\n", $$1, $$2 }' Makefile

run: tools ## play a meeting through the whole system on this machine, then serve until Ctrl-C (PORT=4566)
	@$(PYTHON) scripts/stack.py run $(addprefix --port ,$(PORT))

up: tools ## start the system in the background, or deploy again into the running one (PORT=4566)
	@$(PYTHON) scripts/stack.py up $(addprefix --port ,$(PORT))

down: tools ## end what `make up` started
	@$(PYTHON) scripts/stack.py down

test: tools ## everything: lints, unit tests, the deployed pipeline, sam local invoke
	@python3 scripts/tools.py --lint && $(PYTHON) scripts/test.py

soak: tools ## schedules of faults with both handlers in process and with the real binaries, and SQS browning out, against the stack of `make up` (COUNT=10000, REAL=500, BROWN_OUT=100, SEED=0)
	@cargo run --locked --profile soak --package soak -- --in-process --count $(or $(COUNT),10000) --from $(or $(SEED),0)
	@cargo build --locked --workspace --bins
	@cargo run --locked --profile soak --package soak -- --real --count $(or $(REAL),500) --from $(or $(SEED),0) --covered
	@cargo run --locked --profile soak --package soak -- --brown-out --count $(or $(BROWN_OUT),100)

planted: tools ## plant one bug after the other and see that the schedules of faults catch it (FIND=1 looks for the seeds anew)
	@$(PYTHON) scripts/planted.py $(if $(FIND),--find)

model: ## check the protocol in every state that a model of it can come to: a few minutes (MODEL="--world late")
	@cargo run --locked --package model -- $(MODEL)

bench: tools ## measure speed, size and cost beside Node and Python, and write them into docs/ (about 5 minutes once everything is built)
	@$(PYTHON) scripts/bench.py all

cost: tools ## the bill for your own numbers, from what was measured last (YOURS="--meetings 20000 --arm64 …")
	@$(PYTHON) scripts/bench.py cost $(YOURS)

usage: tools ## measure anew what the bill is reckoned from, and write docs/COST.md
	@$(PYTHON) scripts/bench.py usage

profile: tools ## where the instructions of a function go (FUNCTION=ingest or process)
	@$(PYTHON) scripts/bench.py profile $(FUNCTION)

build: tools ## build both functions for AWS, optimised
	@$(PYTHON) scripts/build.py

secret: tools ## enter a credential that a sender has shown you, beside the old ones (KEY=meetingbaas_api_keys …; DROP="2 3", DROP=old or OFF=1 drops entries, LIST=1 counts them, TOKEN=1 makes a callback token)
	@$(PYTHON) scripts/secret.py $(addprefix --name ,$(STACK)) $(addprefix --key ,$(KEY)) $(if $(DROP),$(if $(filter old,$(DROP)),--drop-old,--drop $(DROP))) $(if $(OFF),--off) $(if $(LIST),--list) $(if $(TOKEN),--new-callback-token)

deploy: tools ## build and deploy to AWS with your credentials; the first time it asks what only you can decide (STACK=rollcall, SET="Parameter=Value …" changes settings)
	@$(PYTHON) scripts/deploy.py $(addprefix --stack ,$(STACK))

rotate: tools ## hand the secret's current version to the deployed functions, and change nothing else (STACK=rollcall)
	@$(PYTHON) scripts/rotate.py $(addprefix --stack ,$(STACK))

rollback: tools ## deploy code and settings as they were before the last deploy (STACK=rollcall)
	@$(PYTHON) scripts/rollback.py $(addprefix --stack ,$(STACK))

restore: tools ## bring back what the table has lost (AT=2026-11-25T10:00:00Z; DRILL=1 only counts, OVERWRITE=1 also undoes changes)
	@$(PYTHON) scripts/restore.py $(addprefix --stack ,$(STACK)) --at "$(AT)" $(if $(DRILL),--drill) $(if $(OVERWRITE),--overwrite)

front: tools ## put CloudFront in front, for an address that survives a rebuilt stack (STACK=rollcall)
	@$(PYTHON) scripts/front.py $(addprefix --stack ,$(STACK))

destroy: tools ## remove the stack; table, bucket and secret stay (STACK=rollcall; DATA=1 deletes those as well)
	@$(PYTHON) scripts/destroy.py $(addprefix --stack ,$(STACK)) $(if $(DATA),--data) $(if $(LOSE),--lose)

logs: tools ## follow the functions' logs, local ones when the local stack is up (STACK=rollcall for AWS)
	@$(PYTHON) scripts/logs.py $(addprefix --stack ,$(STACK))

fmt: ## format the Rust code
	@cargo fmt --all

lint: tools ## formatting, clippy, dependency rules, licences, the template
	@python3 scripts/tools.py --lint && $(PYTHON) scripts/lint.py

advisories: tools ## known vulnerabilities in dependencies; needs the network and is no part of `make test`
	@python3 scripts/tools.py --lint && .local/tools/cargo/bin/cargo-deny check advisories

tools:
	@python3 scripts/tools.py
