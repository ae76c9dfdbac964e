# Two commands matter: `make run` does the main job, `make test` passes the tests. Both set up what they need.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(PYTHON) -m pip --python $(BIN)/python --disable-pip-version-check install --quiet
LOCKED := --require-hashes --only-binary :all:

run: $(VENV)/.run
	$(BIN)/combmesh run examples/netherlands.toml

test: $(VENV)/.dev
	$(BIN)/python -m pytest -m "not verify" -n 2

check: $(VENV)/.dev
	$(BIN)/ruff check src tests bench
	$(BIN)/ruff format --check src tests bench
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev
	$(BIN)/python -m bench

verify: $(VENV)/.dev
	$(BIN)/python -m pytest -m verify -n 2 --dist worksteal

# A stamp is named by what it stands for: it is remade when its lock or the project's own description changes.
# ensurepip is missing on a bare Debian, so the environment is made without pip and filled from outside.
$(BIN)/python:
	$(PYTHON) -m venv --without-pip $(VENV)

$(VENV)/.run: requirements/run.lock pyproject.toml | $(BIN)/python
	@echo "Setting up combmesh in $(VENV) (about a minute) ..."
	$(PIP) $(LOCKED) -r requirements/run.lock
	$(PIP) --no-deps --no-build-isolation --no-index --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.run
	$(PIP) $(LOCKED) -r requirements/dev.lock
	@touch $@

lock: ## needs pip-tools on the path; writes names and hashes, no address
	pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-header --no-emit-index-url --no-emit-find-links \
	  --no-emit-trusted-host --no-annotate --output-file requirements/run.lock requirements/run.in pyproject.toml
	pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-header --no-emit-index-url --no-emit-find-links \
	  --no-emit-trusted-host --no-annotate --extra dev --output-file requirements/dev.lock requirements/dev.in pyproject.toml

clean:
	rm -rf build dist $(VENV)

.PHONY: run test check bench verify lock clean
