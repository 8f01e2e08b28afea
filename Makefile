# The project's commands. `make` alone lists them.
# PYTHON=python3.12 make book takes that interpreter for .venv.
.PHONY: help install book test check lint format lab serve bench clean distclean
.DEFAULT_GOAL := help
BIN := .venv/bin
PORT ?= 8000
QUIET := MPLBACKEND=agg TQDM_DISABLE=1 PYTHONHASHSEED=0 OMP_NUM_THREADS=1

help:  ## list these commands
	@grep -hE '^[a-z]+:.*  ## ' Makefile | sed 's/:.*  ## /\t/' | sort | awk -F '\t' '{ printf "make %-10s %s\n", $$1, $$2 }'

install:
	@sh tools/install.sh

book: install  ## execute every chapter and build the pages, warnings as errors
	@$(BIN)/python tools/build.py

test: lint book  ## everything: build the book, check the style, run all tests
	@$(QUIET) $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

check: lint  ## what one wants before a commit: style, and the fast tests of what changed
	@$(QUIET) $(BIN)/python tools/check.py

lint: install  ## check style and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: install  ## mend style and formatting
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lab: install  ## open JupyterLab; a double click on a chapter opens it as a notebook
	@$(BIN)/jupyter lab --LabApp.default_url=/lab/tree/chapters

serve: book  ## serve the built pages on this machine
	@echo "http://127.0.0.1:$(PORT)/ (Ctrl-C stops it)"
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

bench: install  ## run the benchmarks and print their tables
	@for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python "$$file" || exit 1; done

clean:  ## delete the built pages and the execution cache
	@rm -rf _build

distclean: clean  ## delete the environment too
	@rm -rf .venv
