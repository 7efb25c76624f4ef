# Everything a developer does, by name. `make` alone lists it.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help setup demo story test faults long quick check lint types arch fix fuzz flood soak mistakes kills golden bench pictures clean

help: ## list these commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## install everything, pinned and checked by hash, into .venv

$(STAMP): requirements-dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "deploybot needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup ## a company in a box: plays the story, then stays up to try
	$(BIN)/deploybot demo

story: setup ## the same, but ends after the story: 0, or 1 and the first broken step
	$(BIN)/deploybot demo --exit

test: setup ## every test; those that need chromium skip aloud without it
	$(BIN)/pytest -n 4 --dist worksteal

quick: setup ## the tests that need no processes, in seconds
	$(BIN)/pytest -q tests/tutorial tests/unit tests/properties

check: lint types arch test ## what CI runs, in its order

golden: setup ## record threads of kinds that have no golden one yet
	$(BIN)/python tests/golden/record.py

lint: setup ## style, and what must not be written
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: setup ## mypy, strict
	$(BIN)/mypy

arch: setup ## who may import whom
	$(BIN)/lint-imports

fix: setup ## put style right where a machine can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

fuzz: setup ## ten thousand requests to the API, made from its own description
	$(BIN)/python -m pytest -q tests/contracts/test_api_fuzz.py --hypothesis-profile=fuzz -p no:xdist --timeout=0

flood: setup ## a thousand requests of garbage a second, for a minute
	$(BIN)/python -m pytest -q tests/acceptance/test_flood.py -m long -p no:xdist -s

faults: setup ## the matrix: every row of docs/faults.md, with a table of them
	$(BIN)/pytest -q -n 4 --dist worksteal -m "row and not long" $$(grep -rl --include="test_*.py" "mark.row(" tests)

long: setup ## every kill point and seed: what `make test` plays a part of
	$(BIN)/pytest -n 2 --dist worksteal -m long

soak: setup ## random people and random deaths for MINUTES (ten), then the verdict; SEED plays one again
	PYTHONPATH=.:tests $(BIN)/python -m soak --minutes $(or $(MINUTES),10) $(if $(SEED),--seed $(SEED))

mistakes: setup ## make each seeded mistake in a copy of the tree: which test turns red?
	PYTHONPATH=.:tests $(BIN)/python -m mistakes

kills: setup ## kill workers at points of the seed story that are drawn anew; POINTS of them in real processes
	PYTHONPATH=.:tests $(BIN)/python tests/kills.py --processes $(or $(POINTS),20)

bench: setup ## measure, beside a minimal script, on this machine
	$(BIN)/python -m pytest tests/benchmarks tests/unit -m benchmark -p no:xdist -s

pictures: setup ## take the pictures of the README and of docs (needs chromium)
	$(BIN)/python tests/pictures.py docs/pictures

.PHONY: sbom audit-pins

sbom: setup ## what the product is made of, as CycloneDX, into dist/sbom.json
	@mkdir -p dist
	$(BIN)/python tests/pins.py > dist/sbom.json

audit-pins: setup ## ask public databases about every pin: 0 nothing, 1 something, 2 could not be asked
	$(BIN)/python tests/audit_pins.py

clean: ## remove what these commands made
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
