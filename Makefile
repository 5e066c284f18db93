# make run: set everything up and open the app.   make test: set everything up and pass the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The store flushes every batch to the disk; tests write thousands, and memory is flushed at once.
SCRATCH := $(shell test -d /dev/shm -a -w /dev/shm && echo --basetemp=/dev/shm/labse-search-tests)

.PHONY: run test slow check clean

run: $(VENV)/.runtime
	$(BIN)/python app.py

test: $(VENV)/.tests
	$(BIN)/python -m pytest $(SCRATCH)

slow: $(VENV)/.tests
	$(BIN)/python -m pytest -m slow $(SCRATCH)

check: $(VENV)/.tests
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy
	$(BIN)/python -m pytest $(SCRATCH)

# torch first and alone: with it there, nothing else asks for another build of it.
$(VENV)/.runtime: requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(sed -n 's/^\(torch==[0-9.]*\).*/\1/p' requirements.txt)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/.tests: requirements-dev.txt $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
