# One command each. On a fresh machine only Python (3.11 or later) and make are needed: the rest sets itself up.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin

.PHONY: demo test check format bench docs crashtest scale fuzz clean

demo: .venv/.user
	@$(BIN)/playhead demo

# As many at once as there are processors; TEST_WORKERS=0 runs them one by one.
TEST_WORKERS ?= auto
test: .venv/.dev
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist worksteal

check: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports --no-cache

format: .venv/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/.dev
	$(BIN)/python bench/run.py
	$(BIN)/python bench/formats.py
	$(BIN)/python bench/recording.py

docs: .venv/.dev
	$(BIN)/python docs/build.py

crashtest: .venv/.dev
	$(BIN)/python tests/crashtest/full.py

# Two thousand runs at once, each streaming over a socket of its own.
scale: .venv/.dev
	$(BIN)/python tests/scale/many_runs.py 2000 50 0.02

# FUZZ_SECONDS for each wire format. Atheris has wheels for Linux alone, so that it is installed here only.
FUZZ_SECONDS ?= 60
FUZZ_FORMATS ?= openai_chat openai_responses anthropic gemini bedrock bedrock_converse
fuzz: .venv/.dev
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check atheris
	@for format in $(FUZZ_FORMATS); do $(BIN)/python tests/fuzz/decoders.py $$format $(FUZZ_SECONDS) || exit 1; done

clean:
	rm -rf .venv dist build .pytest_cache .ruff_cache .hypothesis

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Playhead needs Python 3.11 or later: none was found. Say where it is: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "$(PYTHON) could not make an environment: its venv module is missing (on Debian: apt-get install python3-venv)."; exit 1; }

# What a user has: the package and its extras.
.venv/.user: .venv/bin/python pyproject.toml constraints.txt
	@echo "Setting up .venv ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all]'
	@touch $@

# What a developer has beside it. The names stand in pyproject.toml, the versions in constraints.txt.
.venv/.dev: .venv/.user
	@echo "Setting up the tools for development ..."
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["dev"], sep="\n")' > .venv/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r .venv/dev.txt
	@touch $@
