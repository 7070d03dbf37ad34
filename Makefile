# `make serve` and `make test` each do all the set-up on a fresh machine: python3, pip and make are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8000
DATA ?= data
FAISS ?= cpu

.PHONY: serve test lint types contract install demo clean

serve: $(VENV)/installed $(DATA)/.demonstration
	$(BIN)/echolens serve --library $(DATA) --port $(PORT)

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-dev
	$(BIN)/mypy

contract: $(VENV)/installed-dev
	$(BIN)/lint-imports

install: $(VENV)/installed

demo: $(DATA)/.demonstration

# A library of one's own is left alone: only an absent or empty one gets the demonstration.
$(DATA)/.demonstration: | $(VENV)/installed
	@if [ -s $(DATA)/catalogue.sqlite ]; then echo "$(DATA) holds a library: it is served as it is"; \
	else $(BIN)/echolens demo --library $(DATA) && touch $@; fi

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(FAISS),litert]'
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(FAISS),litert,dev]'
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info
