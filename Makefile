# The words of the project. Each does its own set-up; none asks for anything.
.PHONY: help setup console demo demo-down up test test-long check format generate bench lock clean

PY := .venv/bin/python
# Where there is no Node, scripts/console.sh brings it here.
NODE := PATH=$(CURDIR)/.venv/tools/bin:$$PATH

help: ## list the words
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

setup: ## bring the Python environment
	@scripts/setup.sh

console: setup ## build the web console, if its sources changed
	@scripts/console.sh

demo: ## a real cluster on three lab machines, from nothing
	@scripts/setup.sh lab
	@scripts/console.sh
	@$(PY) -m groundplane_lab.demo up

demo-down: ## remove all that demo made
	@scripts/setup.sh
	@$(PY) -m groundplane_lab.demo down

up: console ## start Groundplane alone, on loopback
	@.venv/bin/groundplane up

test: ## every test, on real parts, in two processes
	@scripts/setup.sh lab
	@scripts/console.sh
	@$(PY) -m groundplane_lab artifacts
	@$(PY) -m pytest -n 2 --max-worker-restart 0

test-long: ## the tests that take many minutes each, one after another
	@scripts/setup.sh lab
	@scripts/console.sh
	@$(PY) -m groundplane_lab artifacts
	@GROUNDPLANE_LONG=1 $(PY) -m pytest tests/lab_operations/test_upgrade.py tests/e2e/test_migrate.py \
		tests/e2e/test_plain_life.py tests/e2e/test_life_by_browser.py

check: console ## linters, types, layers, generated files
	@cd console && $(NODE) npm run --silent check && $(NODE) npm test --silent
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@$(PY) scripts/limits.py
	@$(PY) -m groundplane.api.generate --check

format: setup ## let ruff format and fix
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .
	@cd console && $(NODE) npm run --silent format

generate: setup ## write the CRDs and the pages of the kinds anew
	@$(PY) -m groundplane.api.generate

bench: ## benchmarks against a peer in the same run (BENCH=NAME for one)
	@scripts/setup.sh lab
	@$(PY) -m bench $(BENCH)

lock: setup ## resolve the dependencies anew
	@.venv/tools/bin/uv pip compile --universal --generate-hashes --quiet pyproject.toml --group pyproject.toml:dev -o requirements.lock

clean: ## remove caches of tools, not the lab's
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist
