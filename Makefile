# Bloop's commands; `make help` lists them. A machine needs Python 3.11 or later, and nothing else, for `make run`.

SHELL := /bin/sh
PY    := .venv/bin/python
MANAGE := $(PY) manage.py
SERVE_FLAGS := $(if $(HOST),--host $(HOST)) $(if $(PORT),--port $(PORT))
# Checks and tests never touch data/: their database file and generated secrets live in .cache/.
SCRATCH := BLOOP__DATABASE__PATH=.cache/check/bloop.db
# A deployment as Django's deployment checks should see it.
PRODUCTION := $(SCRATCH) \
	BLOOP__AUTH__RP_ID=errors.example.com BLOOP__AUTH__RP_ORIGIN=https://errors.example.com \
	BLOOP__AUTH__HMAC_SECRET=0123456789abcdef0123456789abcdef0123456789abcdef \
	BLOOP__SERVER__TRUSTED_PROXIES=10.0.0.0/8 \
	DATABASE_URL=postgresql://bloop:secret@db.example.com:5432/bloop REDIS_URL=redis://redis.example.com:6379/0
STATIC_FILES := $(shell find static -type f 2>/dev/null)
PYTEST_FLAGS ?= -n auto
TESTS ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install run demo up logs ps stop dev test test-postgres check format lint templates types imports \
	django schema schema-check house bench lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- Run it ----------------------------------------------------------------------------------------------------

install: .venv/.base ## make .venv with what Bloop runs on
	@:

run: install staticfiles/staticfiles.json ## install, migrate, start everything at http://localhost:5332
	@$(MANAGE) migrate --noinput --verbosity 0
	@exec $(MANAGE) serve $(SERVE_FLAGS)

demo: install staticfiles/staticfiles.json ## the same, filled with demo data
	@$(MANAGE) migrate --noinput --verbosity 0
	@$(MANAGE) demo
	@exec $(MANAGE) serve $(SERVE_FLAGS)

up: install staticfiles/staticfiles.json ## start in the background (pid and log in data/)
	@$(MANAGE) migrate --noinput --verbosity 0
	@$(PY) scripts/background.py start $(SERVE_FLAGS)

logs: ## follow the log of `make up`
	@test -f data/bloop.log || { echo "There is no log yet: start Bloop with 'make up'." >&2; exit 1; }
	@exec tail -n 100 -f data/bloop.log

ps: .venv/bin/python ## what `make up` started, and whether it is well
	@$(PY) scripts/background.py ps

stop: ## stop what `make up` started
	@if [ -x $(PY) ]; then $(PY) scripts/background.py stop; fi

# --- Prove it --------------------------------------------------------------------------------------------------

dev: .venv/.dev ## add what tests and checks need to .venv
	@:

test: dev staticfiles/staticfiles.json ## the whole test suite on SQLite, browser and Redis journeys included
	@scripts/services chromium redis
	$(SCRATCH) scripts/run-tests "not postgres" $(PYTEST_FLAGS) $(TESTS)

test-postgres: dev staticfiles/staticfiles.json ## the whole test suite on a PostgreSQL 15 of its own
	@scripts/services chromium redis postgresql
	$(SCRATCH) $(PY) scripts/with-postgres scripts/run-tests "not sqlite and not screen" $(PYTEST_FLAGS) $(TESTS)

check: lint templates types imports django schema-check house ## format, lint, types, imports, migrations, deployment, API, house rules

format: dev ## rewrite code and templates in the house format
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .
	@find templates -name '*.html' -exec .venv/bin/djade --target-version 5.2 {} +

lint: dev
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .

templates: dev
	find templates -name '*.html' -exec .venv/bin/djade --target-version 5.2 --check {} +

types: dev
	$(SCRATCH) $(PY) -m mypy

imports: dev
	$(PY) -c "from importlinter.cli import lint_imports_command as lint; lint()" --no-logo

django: dev
	$(SCRATCH) $(MANAGE) check --fail-level WARNING
	$(SCRATCH) $(MANAGE) makemigrations --check --dry-run
	$(PRODUCTION) $(MANAGE) check --deploy --fail-level WARNING

schema-check: dev
	@mkdir -p .cache/check
	$(SCRATCH) $(MANAGE) spectacular --validate --fail-on-warn --file .cache/check/openapi.yml
	@diff -u tests/golden/openapi.yml .cache/check/openapi.yml || { \
		echo "The API changed. If that was meant: 'make schema', and look at the difference." >&2; exit 1; }

house: dev staticfiles/staticfiles.json
	$(SCRATCH) $(PY) -m pytest $(PYTEST_FLAGS) --quiet tests/test_conventions.py tests/test_access.py \
		tests/test_query_counts.py tests/projects/test_query_counts.py tests/bloop_site/test_admin.py

schema: dev ## record the API as it is now in tests/golden/openapi.yml
	@mkdir -p tests/golden
	$(SCRATCH) $(MANAGE) spectacular --validate --fail-on-warn --file tests/golden/openapi.yml

bench: dev staticfiles/staticfiles.json ## measure speed and memory on this machine
	$(PY) -m tests.bench

# --- Look after it ---------------------------------------------------------------------------------------------

lock: dev ## pin requirements/*.in again, with hashes
	$(PY) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		$(LOCK_FLAGS) requirements/base.in -o requirements/base.txt
	$(PY) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		$(LOCK_FLAGS) -c requirements/base.txt requirements/dev.in -o requirements/dev.txt

clean: stop ## remove .venv, caches and collected files; data/ stays
	rm -rf .venv .cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache staticfiles
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@if [ -d data ]; then echo "Your data is still in data/; remove that folder to start from nothing."; fi

# --- The environment -------------------------------------------------------------------------------------------

.venv/bin/python:
	@scripts/make-venv .venv

.venv/.base: requirements/base.txt .venv/bin/python
	@echo "Installing what Bloop runs on (once; about a minute)"
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/base.txt
	@touch $@

.venv/.dev: requirements/dev.txt .venv/.base
	@echo "Installing what tests and checks need (once)"
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

staticfiles/staticfiles.json: $(STATIC_FILES) .venv/.base
	@$(MANAGE) collectstatic --noinput --verbosity 0
	@touch $@
