# Lotwise: every command a developer or a visitor needs. `make` alone lists them.
.POSIX:
.SUFFIXES:
.DEFAULT_GOAL := help

VENV      = .venv
PY        = $(VENV)/bin/python
DEMO      = .lotwise/demo
# The workspace to open: `make run WORKSPACE=DIR`, else LOTWISE_WORKSPACE of the environment, else the demo.
WORKSPACE = $${LOTWISE_WORKSPACE:-$(DEMO)}
PORT      =
# Test processes; 0 runs in one process (for a debugger).
WORKERS   = 2
# Further pytest arguments: `make test ARGS='-k sizing'` (the coverage floor then fails by design).
ARGS      =
# Further `uv pip compile` arguments: `make lock LOCK=--upgrade`.
LOCK      =

.PHONY: help run test check types audit format bench chaos soak lock env dev clean

help: ## list the commands (default)
	@echo 'Lotwise: make COMMAND'
	@sed -n 's/^\([a-z][a-z]*\):.*## \(.*\)/  \1|\2/p' Makefile | while IFS='|' read -r name text; do \
		printf '%-10s %s\n' "$$name" "$$text"; done

run: env ## start the dashboard on the demo workspace (WORKSPACE=DIR for your own, PORT=N for a fixed port)
	@set -eu; workspace="$(WORKSPACE)"; \
	if [ "$$workspace" = "$(DEMO)" ]; then $(PY) -m core demo --workspace "$$workspace"; fi; \
	LOTWISE_WORKSPACE="$$workspace"; export LOTWISE_WORKSPACE; \
	port='$(PORT)'; \
	exec $(PY) -m streamlit run app.py $${port:+--server.port "$$port"}

test: check ## set up, then run every check and every test with coverage
	@$(PY) -m pytest -n $(WORKERS) --cov --cov-report term $(ARGS)

check: dev ## format, lint, types and layers, without the tests
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@$(PY) -c 'from importlinter.cli import lint_imports_command as lint; lint(["--no-logo"])'

audit: ## ask the open database of advisories about every locked package
	@python3 .ci/audit

format: dev ## rewrite the code in the project's format
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

bench: dev ## measure speed against the budgets
	@$(PY) -m benchmarks $(ARGS)

chaos: dev ## two thousand randomised runs with faults and kills, one table (ARGS='--runs 200 --seed 5')
	@$(PY) -m tests.chaos --workers $(WORKERS) $(ARGS)

soak: dev ## an hour of traffic in which days pass: memory flat, nothing lost (ARGS='--minutes 5')
	@$(PY) -m tests.chaos.soak $(ARGS)

lock: ## recompile the pinned requirements (LOCK=--upgrade to raise versions)
	@set -eu; uv=$$(command -v uv || true); \
	if [ -z "$$uv" ] && [ -x $(VENV)/bin/uv ]; then uv=$(VENV)/bin/uv; fi; \
	if [ -z "$$uv" ]; then echo 'make lock needs uv: install it, or $(VENV)/bin/python -m pip install uv' >&2; exit 1; fi; \
	for name in requirements requirements-dask requirements-dev requirements-strangers; do \
		"$$uv" pip compile --quiet --universal --no-header --python-version 3.11 $(LOCK) \
			$$name.in -o $$name.txt; done

env: ## create .venv with what the dashboard needs
	@VENV='$(VENV)' PYTHON='$(PYTHON)' sh .ci/environment run

dev: ## create .venv with what the checks need
	@VENV='$(VENV)' PYTHON='$(PYTHON)' sh .ci/environment dev
	@VENV='$(VENV)' sh .ci/strangers

clean: ## remove .venv and caches; workspaces in .lotwise/ stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache htmlcov test-results
	rm -f .coverage .coverage.*
	find . -name __pycache__ -type d -not -path './.lotwise/*' -exec rm -rf {} +
