# `make run` serves the API, `make test` tests it. Both install what they need into .venv and nowhere else.

PYTHON ?= python3
BIN := .venv/bin
# The redirection makes GNU make 3.81 (macOS) use a shell; otherwise it would run a program called "command".
UV := $(shell command -v uv 2>/dev/null)
INSTALL := $(if $(UV),uv pip install --quiet --python $(BIN)/python,$(BIN)/python -m pip install --quiet --disable-pip-version-check)
# More than two cores, because tests of servers mostly wait.
WORKERS ?= 4
PYTEST := $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal
SECONDS ?= 120
# Processes that may keep what they have compiled start in half the time, and the tests start two hundred.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run quick test test-e2e test-browser test-examples test-nextjs test-deploy nextjs node fuzz lint lint-migrations format schema bench profile audit sbom lock clean

help:  ## Show this list
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/  make \1	\2/p' Makefile | expand -t 24

run: $(BIN)/.runtime .env  ## Serve the API at http://127.0.0.1:8000, on SQLite unless DATABASE_URL says otherwise
	@$(BIN)/python manage.py migrate --verbosity 0
	@exec $(BIN)/gunicorn

quick: $(BIN)/.dev  ## Run the tests that start no other process, on SQLite: the inner loop
	@$(PYTEST) --quick $(ARGS)

# What can't depend on the database runs on SQLite only: tests/unit, and what is marked `once`.
test: $(BIN)/.dev  ## Run every test, or ARGS, on SQLite, then on PostgreSQL 16; the coverage is that of both together
	@$(PYTEST) $(if $(ARGS),$(ARGS),--cov --cov-report=)
	@$(BIN)/python -m tests.postgresql $(PYTEST) $(if $(ARGS),$(ARGS),tests/integration tests/api -m "not once" --cov --cov-append --cov-report=term-missing:skip-covered --cov-fail-under=100)

test-e2e: $(BIN)/.dev node  ## Run the API behind a real Better Auth server (needs Node 20.19 or later)
	@npm --prefix tests/e2e/better-auth ci --silent --no-audit --no-fund
	@$(BIN)/python -m tests.postgresql $(BIN)/python -m pytest $(ARGS) tests/e2e

test-browser: $(BIN)/.dev  ## Use the admin with a real browser (needs Chromium)
	@$(BIN)/python -m tests.postgresql $(BIN)/python -m pytest $(ARGS) tests/browser

nextjs: $(BIN)/.dev .env node  ## Run the Next.js example at http://localhost:3000, with the API and a PostgreSQL (needs Node 20.19 or later)
	@npm --prefix examples/nextjs ci --silent --no-audit --no-fund
	@$(BIN)/python -m examples.nextjs.start

test-nextjs: $(BIN)/.dev node  ## Use the Next.js example with a real browser (needs Node 20.19 or later, and Chromium)
	@npm --prefix examples/nextjs ci --silent --no-audit --no-fund
	@$(BIN)/python -m tests.postgresql $(BIN)/python -m pytest $(ARGS) tests/nextjs

node:
	@node --eval 'process.exit(Number(process.versions.node.localeCompare("20.19", "en", {numeric: true}) < 0))' 2>/dev/null \
		|| { echo "This needs Node 20.19 or later, and npm: https://nodejs.org"; exit 1; }

fuzz: $(BIN)/.dev  ## Send the API requests that its schema allows and forbids, for SECONDS=120 (optionally from a SEED)
	@$(BIN)/python -m tests.fuzz $(SECONDS) $(SEED)

test-examples: $(BIN)/.dev node  ## Run the example clients and the session of docs/api.md (needs Node 20.19 or later)
	@npm --prefix examples/typescript ci --silent --no-audit --no-fund
	@$(BIN)/python -m tests.postgresql $(BIN)/python -m pytest $(ARGS) tests/examples

test-deploy: $(BIN)/.dev  ## Test releases, faults and failover behind nginx and PgBouncer (needs both; ten minutes)
	@$(BIN)/python -m pytest $(ARGS) tests/deploy

lint: $(BIN)/.dev  ## Check style, types, imports, migrations and the Docker files
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check --diff .
	@$(BIN)/mypy .
	@PYTHONPATH=. $(BIN)/lint-imports
	@$(BIN)/python manage.py makemigrations --check --dry-run
	@$(BIN)/yamllint --strict .
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec docker-compose.yml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
	@$(BIN)/hadolint Dockerfile

lint-migrations: $(BIN)/.dev  ## Look for migrations that would block a busy table
	@$(BIN)/python -m tests.postgresql $(BIN)/python -m tests.deploy.migrations

format: $(BIN)/.dev  ## Put the code into its standard form
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .
	@$(BIN)/ruff format --quiet .

schema: $(BIN)/.dev  ## Rewrite docs/openapi.yaml from the code
	@API_DOCS=true $(BIN)/python manage.py spectacular --fail-on-warn --file docs/openapi.yaml

bench: $(BIN)/.dev .venv-bench/.done  ## Compare the speed with its peers: benchmarks/README.md (needs wrk; 15 minutes)
	@$(BIN)/python -m benchmarks $(ARGS)

profile: $(BIN)/.dev  ## Show where the time of a request goes
	@$(BIN)/python -m tests.postgresql $(BIN)/python -m benchmarks.profile

audit: $(BIN)/.dev  ## Look for known vulnerabilities in the locked packages
	@$(BIN)/pip-audit --disable-pip --require-hashes --requirement requirements-granian.txt

sbom: $(BIN)/.dev  ## Write sbom.json, the locked packages with their hashes, in CycloneDX, reproducibly
	@PYTHONWARNINGS=ignore $(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --output-file sbom.json requirements.txt

# Without the extras, pip treats `coverage[toml]` as an unpinned requirement as soon as a newer version is out.
lock: $(BIN)/.dev  ## Lock the newest allowed versions of all dependencies (needs uv)
	@uv pip compile --quiet --upgrade --universal --no-strip-extras --generate-hashes --python-version 3.11 --output-file requirements.txt pyproject.toml
	@uv pip compile --quiet --upgrade --universal --no-strip-extras --generate-hashes --python-version 3.11 --output-file requirements-granian.txt --extra granian --constraint requirements.txt pyproject.toml
	@uv pip compile --quiet --upgrade --universal --no-strip-extras --generate-hashes --python-version 3.11 --output-file requirements-dev.txt --group dev pyproject.toml
	@uv pip compile --quiet --upgrade --universal --no-strip-extras --generate-hashes --python-version 3.11 --output-file benchmarks/requirements.txt --group peers

clean:  ## Remove everything that make has made, except .env and the database
	@rm -rf .venv .venv-bench .coverage .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .schemathesis

.env:
	@umask 077; $(PYTHON) -c "from secrets import token_urlsafe as t; print(f'SECRET_KEY={t(48)}\nBETTER_AUTH_SECRET={t(48)}')" > .env
	@echo "Wrote .env with new secrets. To accept your Better Auth server's tokens, put its secret or its URL there (docs/connect.md)."

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "This needs Python 3.11 or later: make run PYTHON=python3.13")'
	@$(if $(UV),uv venv --quiet --python $(PYTHON) .venv,$(PYTHON) -m venv .venv)

.venv-bench/.done: benchmarks/requirements.txt
	@echo "Installing the locked packages of the peers into .venv-bench"
	@$(PYTHON) -m venv .venv-bench
	@.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement benchmarks/requirements.txt
	@touch $@

$(BIN)/.runtime: requirements.txt | $(BIN)/python
	@echo "Installing the locked packages into .venv, which takes half a minute or so"
	@$(INSTALL) --require-hashes --requirement requirements.txt
	@touch $@

$(BIN)/.dev: requirements-dev.txt | $(BIN)/python
	@echo "Installing the locked packages into .venv, which takes half a minute or so"
	@$(INSTALL) --require-hashes --requirement requirements-dev.txt
	@touch $@ $(BIN)/.runtime
