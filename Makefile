# `make serve` and `make test` each do all the set-up on a fresh machine: python3 (3.11 or later), its venv module, pip and
# make are enough. pip's own settings (index, certificates, cache) are used as they are.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PORT ?= 8000
DATA ?= data
FAISS ?= cpu
MILVUS := $(if $(filter cpu,$(FAISS)),milvus-lite,milvus)
PINS := constraints.txt $(if $(filter gpu,$(FAISS)),constraints-gpu.txt)
# Tests run in as many processes as there are processors, but no more than this: each holds 1 GB. Many start processes
# of their own, which take our modules' bytecode from where the first one left it.
TEST_PROCESSES ?= 4
INSTALL := $(PIP) install --quiet $(addprefix -c ,$(PINS))
BEGUN := $(DATA)/.demonstration-begun

.PHONY: serve test lint types contract install install-dev demo wheel constraints constraints-cpu constraints-gpu clean

serve: demo
	@exec $(BIN)/echolens serve --library "$(DATA)" --port $(PORT)

test: install-dev
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n logical --maxprocesses $(TEST_PROCESSES) \
	  --dist loadfile --no-loadscope-reorder

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install-dev
	$(BIN)/mypy

contract: install-dev
	$(BIN)/lint-imports

install: $(VENV)/installed

install-dev: $(VENV)/installed-dev

# A library of one's own is left alone: only where there is none, or a demonstration that was stopped half way
# (the mark says so), is one made. A directory that is no library is refused, and no mark stays in it.
demo: install
	@if [ -e "$(DATA)/catalogue.sqlite" ] && [ ! -e "$(BEGUN)" ]; then exit 0; fi; \
	mkdir -p "$(DATA)" && touch "$(BEGUN)" && echo "Making the demonstration library in $(DATA)" && \
	if $(BIN)/echolens demo --library "$(DATA)"; then rm "$(BEGUN)"; \
	else code=$$?; [ -e "$(DATA)/catalogue.sqlite" ] || rm -f "$(BEGUN)"; exit $$code; fi

$(VENV)/installed: pyproject.toml $(PINS)
	@echo "Installing into $(VENV): 1.7 GB on disk, or 5.5 to 7 GB with the CUDA build of PyTorch; some minutes"
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) -e '.[$(FAISS)]'
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(INSTALL) -e '.[$(FAISS),$(MILVUS),figures,mcp,ray,dev]'
	@touch $@

wheel: install
	rm -rf build/lib build/bdist.*
	$(PIP) wheel --quiet --no-deps --wheel-dir dist .

# Resolve everything anew and write down what came; without the local part of a version (torch's +cpu), so that the
# pins hold for builds with CUDA too. With FAISS=gpu: what that adds, of which only the metadata are downloaded.
constraints: constraints-$(FAISS)

constraints-cpu:
	rm -rf build/constraints
	$(PYTHON) -m venv build/constraints
	build/constraints/bin/python -m pip install --quiet '.[cpu,milvus-lite,figures,mcp,ray,dev]'
	build/constraints/bin/python -m pip check
	{ sed -n 1,2p constraints.txt; build/constraints/bin/python -m pip freeze --exclude echolens | \
	  sed 's/+[a-z0-9.]*$$//' | LC_ALL=C sort -f; } > build/constraints.txt
	mv build/constraints.txt constraints.txt

constraints-gpu:
	rm -rf build/constraints
	$(PYTHON) -m venv build/constraints
	build/constraints/bin/python -m pip install --quiet --dry-run --ignore-installed --report build/gpu.json \
	  -c constraints.txt "$$(sed -n 's/^torch==/torch===/p' constraints.txt)" '.[gpu,milvus,figures,mcp,ray,dev]'
	{ sed -n '/^#/p' constraints-gpu.txt; { sed -n 's/^torch==/torch===/p' constraints.txt; $(PYTHON) -c "import json; \
	  found = [p['metadata'] for p in json.load(open('build/gpu.json'))['install']]; \
	  print(*(p['name'] + '==' + p['version'] for p in found if p['name'] not in ('echolens', 'setuptools')), sep='\n')" | \
	  grep -vixFf constraints.txt; } | LC_ALL=C sort -f; } > build/constraints-gpu.txt
	mv build/constraints-gpu.txt constraints-gpu.txt

clean:
	rm -rf $(VENV) build dist *.egg-info
