# make demo   a running Outlay with a month of data        make test   every test, browser included
# make check  lint and types                                make lock   refresh the locked dependencies
# make docs   print docs/ pages that come from the code     make prices compile the price list that ships
# make prices-audit   compare that list with another one (ARGS="--package litellm --json")
# make clients  the SDK's tests with client libraries that share no environment with the others, and examples/node

PY ?= $(firstword $(foreach p,python3.11 python3.12 python3.13 python3,$(shell command -v $(p) 2>/dev/null)))
VENV := .venv
BIN := $(VENV)/bin
SERVER := $(VENV)/.server-installed
DEV := $(VENV)/.dev-installed

# Bytecode is kept whatever the shell says: the tests start hundreds of programs, and each would compile all it imports.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test clients node check lint types lock prices prices-audit docs browser redis clean

demo: $(SERVER)
	@$(BIN)/outlay demo

# In the order of their names, so that the many short unit tests come last: reordered, those of few and long tests would,
# and two workers would wait for the third.
test: $(DEV) browser redis
	$(BIN)/python -m pytest -q -n 3 --dist loadscope --no-loadscope-reorder $(ARGS)

CLIENT = $(BIN)/uv run -q --isolated --no-project --with . --with pytest --with "$(1)" python -m pytest -q --noconftest \
	tests/integration/test_wire_clients.py -k "$(2)"

# Another library's tracing beside ours, and a server that counts.
PEER = OUTLAY_SERVER_PYTHON=$(abspath $(BIN)/python) \
	$(BIN)/uv run -q --isolated --no-project --with . --with pytest --with openai --with httpx \
	--with opentelemetry-exporter-otlp-proto-http --with "$(1)" python -m pytest -q \
	--noconftest tests/integration/test_both_together.py

clients: $(DEV)
	$(call CLIENT,litellm>=1.106,litellm)
	$(call CLIENT,llama-index-llms-openai>=0.7,llama_index)
	$(call CLIENT,instructor>=1.17,instructor)
	$(call PEER,langfuse)
	$(call PEER,openlit)
	$(call PEER,traceloop-sdk)
	$(call PEER,openinference-instrumentation-openai)
	$(call PEER,logfire)
	$(call PEER,mlflow-tracing)
	$(BIN)/uv run -q --isolated --no-project --with . --with pytest --with nbclient --with ipykernel \
		python -m pytest -q --noconftest tests/integration/test_notebook.py
	$(BIN)/uv run -q --isolated --no-project --with . --with pytest --with ray --with httpx \
		python -m pytest -q --noconftest tests/integration/test_ray.py
	$(MAKE) node

# The examples in JavaScript, each with what npm installs for it, against the fake provider.
node: $(DEV)
	for example in examples/node/*/; do (cd $$example && npm install --no-audit --no-fund --no-package-lock) || exit 1; done
	$(BIN)/python -m pytest -q tests/integration/test_node_examples.py

check: lint types

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV)
	$(BIN)/mypy

# Everything under one lock; uv installs it in seconds, plain pip does where uv is not to be had.
$(BIN)/python:
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Outlay needs Python 3.11 or newer; run make PY=/path/to/python" >&2; exit 1; }
	@echo "creating $(VENV)" >&2
	@$(PY) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check uv || echo "uv is not available, using pip" >&2

INSTALL = if [ -x $(BIN)/uv ]; then $(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python $(1); else $(BIN)/python -m pip install -q --disable-pip-version-check $(1); fi

$(SERVER): requirements.lock pyproject.toml | $(BIN)/python
	@echo "installing the server's packages (about 300 MB of downloads, once)" >&2
	@$(call INSTALL,-r requirements.lock)
	@$(call INSTALL,--no-deps -e .)
	@touch $@

$(DEV): requirements-dev.lock $(SERVER) | $(BIN)/python
	@echo "installing the packages for development" >&2
	@$(call INSTALL,-r requirements-dev.lock)
	@touch $@

# What tests drive and pip does not bring: where it is missing and can be installed, it is; else its tests are skipped.
APT = [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && echo "installing $(1)" >&2 && apt-get update -qq && \
	RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(1) >/dev/null

browser:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || [ -n "$$OUTLAY_CHROMIUM" ] || \
	{ $(call APT,chromium); } || \
	echo "no Chromium found: browser tests will be skipped (install chromium, or set OUTLAY_CHROMIUM)" >&2

redis: | browser
	@command -v redis-server >/dev/null || { $(call APT,redis-server); } || \
	echo "no redis-server found: tests of the shared cache will be skipped (install redis-server)" >&2

lock: $(BIN)/python
	$(BIN)/uv pip compile -q --no-header --no-emit-index-url --extra dev -o requirements-dev.lock pyproject.toml
	$(BIN)/uv pip compile -q --no-header --no-emit-index-url --extra server -c requirements-dev.lock -o requirements.lock pyproject.toml

# The price list that ships with the SDK, from the installed genai-prices and prices/corrections.toml.
prices: $(SERVER)
	$(BIN)/python -m outlay_collector.prices.snapshot

prices-audit: $(SERVER)
	@$(BIN)/python -m outlay_collector.prices.audit $(ARGS)

docs: $(SERVER)
	$(BIN)/python -m outlay_web.config_docs > docs/settings.md
	$(BIN)/python -m outlay_collector.store.describe > docs/data-model.md
	$(BIN)/python -m outlay_collector.dialects.docs > docs/dialects.md

clean:
	rm -rf $(VENV) build dist
