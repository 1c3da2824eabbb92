# `make` lists the targets. Each sets up what it needs in .venv; Python 3.11 or later is all that must be there.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
SOURCE := $(shell find src -name __pycache__ -prune -o -print)
ARGS   ?=
DEPLOYMENT ?= infra/deployment.toml
# The Node of the environment, with the certificates that this machine trusts.
NODE   := PATH="$(abspath $(BIN)):$$PATH" NODE_USE_SYSTEM_CA=1
CDK    := $(NODE) build/cdk/node_modules/.bin/cdk
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.DEFAULT_GOAL := help
.PHONY: help run test check demo bench bench-bulk bench-aws torture power soak mutants peers fuzz screenshots bundle synth bootstrap deploy destroy deploy-local destroy-local costs load-test format lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

run: $(VENV)/run ## Set up and run the service on SQLite in ./data (ARGS="--port 9000")
	exec $(BIN)/acuse serve $(ARGS)

test: $(VENV)/dev bundle build/bundle-arm64.built build/cdk/node_modules ## Set up and run every test, with coverage
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile --cov $(ARGS)

check: $(VENV)/dev ## Everything that CI runs: format, lint, types, imports, tests
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) test

demo: $(VENV)/examples ## Start the service, submit single requests and a roll-up of 336,776 flights, show the records
	$(BIN)/python examples/demo.py $(ARGS)

bench: $(VENV)/dev ## Measure this machine: durable POSTs against no-op POSTs on the same server
	$(BIN)/python -m bench.intake $(ARGS)

bench-bulk: $(VENV)/dev ## Measure bulk: 100,000 records by NDJSON in one request against raw inserts into SQLite
	$(BIN)/python -m bench.bulk $(ARGS)

bench-aws: $(VENV)/dev bundle ## Measure our side of AWS: CPU a request, in batches against one PutItem each; imports
	$(BIN)/python -m bench.aws $(ARGS)

torture: $(VENV)/dev ## Kill, stop and restart the service under load, and look for what is lost (ARGS="--seed 7")
	$(BIN)/python -m tests.torture $(ARGS)

power: $(VENV)/dev ## Cut the power at random moments, in replay, and look for what is lost
	$(BIN)/python -m tests.power $(ARGS)

soak: $(VENV)/dev ## Run at a steady rate, and see whether anything grows (an hour: ARGS="--seconds 3600")
	$(BIN)/python -m tests.soak $(ARGS)

mutants: $(VENV)/mutation ## Break the domain and the application in every small way, and see which no test notices
	rm -rf mutants
	$(BIN)/mutmut run $(ARGS)
	$(BIN)/mutmut results

peers: $(VENV)/dev build/peers/bin/python ## The same torture for DBOS and for Huey, in one run with ours
	$(BIN)/python -m bench.peers --python build/peers/bin/python $(ARGS)

fuzz: $(VENV)/dev ## Look for bytes that the parser of requests gets wrong (ARGS="--seconds 600")
	$(BIN)/python -m tests.fuzz $(ARGS)

screenshots: $(VENV)/dev ## Take the pictures of the page in docs/images anew
	$(BIN)/python -m tests.browser.screenshots $(ARGS)

bundle: build/bundle.built ## Build the Lambda bundle for this machine in build/bundle

synth: build/bundle-arm64.built ## Make the templates in build/cdk.out: no account, no network (DEPLOYMENT=infra/deployment.toml)
	$(BIN)/python -m infra.app build/cdk.out --code build/bundle-arm64 --architecture arm64 --deployment "$(DEPLOYMENT)"

bootstrap: build/cdk/node_modules ## Prepare the account and the region for deployments of the CDK, once
	$(CDK) bootstrap $(ARGS)

deploy: synth build/cdk/node_modules ## Deploy to the account and region of the AWS credentials (once before: `make bootstrap`)
	$(CDK) --app build/cdk.out deploy --all $(ARGS)

destroy: synth build/cdk/node_modules ## Delete the service there; the records stay in their own stack
	$(CDK) --app build/cdk.out destroy --exclusively '*-service' $(ARGS)

deploy-local: bundle ## Start a local AWS in the background and deploy to it: no account, no Docker
	$(BIN)/python -m infra.local deploy --code build/bundle --deployment "$(DEPLOYMENT)" $(ARGS)

destroy-local: $(VENV)/infra ## Delete what deploy-local made, and stop the local AWS
	$(BIN)/python -m infra.local destroy $(ARGS)

costs: $(VENV)/infra ## What it costs, by profile and volume, as a table and a picture (ARGS="--help")
	$(BIN)/python -m infra.costs $(ARGS)

load-test: $(VENV)/dev ## Load a deployed stack (ARGS="--url https://... --sigv4 eu-west-1 --rate 100")
	$(BIN)/python -m bench.stack $(ARGS)

format: $(VENV)/dev ## Format the code and mend what can be mended
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

lock: $(VENV)/dev ## Pin all dependencies anew, with hashes
	PATH="$(abspath $(BIN)):$$PATH" requirements/lock.sh

clean: ## Remove what the other targets made, but never ./data
	-[ ! -d build/local-aws ] || $(BIN)/python -m infra.local destroy
	rm -rf $(VENV) build mutants .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

# One virtual environment; `mutation` holds all of `dev`, `dev` all of `infra` and `examples`, and those all of `run`.
$(VENV)/run $(VENV)/examples $(VENV)/infra $(VENV)/dev $(VENV)/mutation: $(VENV)/%: requirements/%.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --require-hashes --requirement requirements/$*.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# What functions run from: for this machine, or for the arm64 of Lambda.
build/bundle.built: ARCHITECTURE :=
build/bundle-arm64.built: ARCHITECTURE := --architecture arm64
build/bundle.built build/bundle-arm64.built: %.built: requirements/lambda.txt infra/bundle.py pyproject.toml $(SOURCE) | $(VENV)/infra
	$(BIN)/python -m infra.bundle $* $(ARCHITECTURE)
	touch $@

# The CDK's own command.
build/cdk/node_modules: infra/package.json infra/package-lock.json | $(VENV)/infra
	mkdir -p build/cdk
	cp $^ build/cdk
	$(NODE) npm ci --loglevel error --prefix build/cdk
	touch $@

# The peers' packages are none of ours.
build/peers/bin/python: requirements/peers.txt
	rm -rf build/peers
	$(PYTHON) -m venv build/peers
	$@ -m pip install --quiet --require-hashes --requirement $<
	touch $@

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("acuse needs Python 3.11 or later, not " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
