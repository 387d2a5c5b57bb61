# Each target does all of its own set-up in .venv. Stamp files in .venv keep a second run from
# repeating it; the engine is rebuilt when ext/, setup.py or pyproject.toml change.
#
# The install is editable: Python changes need no rebuild, doctests run where the source stands,
# and the compiled modules lie in src/sweepconv, where every later command finds them.

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check
SITE := docs/_build docs/gallery docs/generated # what `make docs` makes
# The folders are named too, since a removed file shows only in its folder's time.
ENGINE_SOURCES := setup.py pyproject.toml $(shell find ext)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL: # two pips must not work on one environment
.PHONY: help compare bench test test-adapters test-browser check lint docs wheel clean

help:
	@echo 'make compare   dense, local, tiled and conv side by side on real data (ARGS="--quick")'
	@echo 'make bench     this library against its peers, layer by layer (ARGS="--quick --out report")'
	@echo 'make test      the test suite (ARGS="-k conv" chooses tests)'
	@echo 'make test-adapters   tests of sweepconv.torch, .jax and .dask, with PyTorch, JAX and Dask'
	@echo 'make test-browser   drives the page of `sweepconv explore` in Chromium'
	@echo 'make check     lint, then all tests, the slow ones too'
	@echo 'make lint      ruff, cython-lint, mypy, validate-pyproject'
	@echo 'make docs      the tutorial, the pages and the reference as a site, in docs/_build/html'
	@echo 'make wheel     a repaired cp311-abi3 wheel, tried in a clean environment'
	@echo 'make clean     remove everything that was made, .venv too'
	@echo 'PYTHON=python3.12 chooses another Python (3.11 or later).'

compare: $(VENV)/.lab
	$(BIN)/sweepconv compare $(ARGS)

bench: $(VENV)/.bench
	$(BIN)/sweepconv bench $(ARGS)

test: $(VENV)/.test
	$(BIN)/python -m pytest --doctest-modules -m "not slow" $(ARGS)

test-adapters: $(VENV)/.adapters
	$(BIN)/python -m pytest tests/adapters $(ARGS)

test-browser: $(VENV)/.browser
	@sh -c "$$CHROMIUM"
	$(BIN)/python -m pytest tests/browser $(ARGS)

check: lint
	$(BIN)/python -m pytest --doctest-modules --hypothesis-profile=long $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/cython-lint ext/sweepconv # it looks for pycodestyle there
	$(BIN)/mypy
	$(BIN)/validate-pyproject pyproject.toml

# The tutorial runs anew each time: a page must not show what an older library gave.
docs: $(VENV)/.docs
	rm -rf $(SITE)
	$(BIN)/python -m sphinx -W --keep-going -n -q docs docs/_build/html
	@echo 'docs/_build/html/index.html'

# Two builds of one commit give the same bytes: its time as every time stamp, and no debug
# information, which would hold the path of the build.
wheel: export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 1767225600)
wheel: export CFLAGS += -g0
# The build has an environment of its own: the headers that set-up may have fetched are named to it.
wheel: export CPATH := $(CURDIR)/$(VENV)/include$(if $(CPATH),:$(CPATH))
wheel: $(VENV)/.dev
	rm -rf dist wheelhouse
	@# The sdist first, then the wheel from the sdist: so it is known to hold what a build needs.
	$(BIN)/python -m build --outdir dist . >$(VENV)/wheel.log 2>&1 || { cat $(VENV)/wheel.log; exit 1; }
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/auditwheel repair --strip -w wheelhouse dist/*-cp311-abi3-*.whl
	$(BIN)/abi3audit --strict wheelhouse/*.whl
	@# In a clean environment far from here, so that neither the source nor its settings are seen.
	set -e; away=$$(mktemp -d); trap 'rm -rf "$$away"' EXIT; \
	$(PYTHON) -m venv "$$away/venv"; \
	"$$away/venv/bin/python" -m pip install -q --disable-pip-version-check wheelhouse/*.whl pytest; \
	cp tests/test_minimal.py "$$away"; \
	cd "$$away"; venv/bin/python -m pytest -q test_minimal.py
	@cd wheelhouse && for w in *.whl; do echo "$$w: $$(stat -c %s $$w) bytes, sha256 $$(sha256sum <$$w | cut -c1-64)"; done

clean:
	rm -rf $(VENV) build dist wheelhouse report src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis $(SITE)
	rm -f src/sweepconv/*.so
	find src tests docs -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- set-up -------------------------------------------------------------------------------

define CHECK
import os, shutil, sys, sysconfig
def need(what, package):
    sys.exit("sweepconv needs %s, which %s lacks. On Debian or Ubuntu: apt-get install %s"
             % (what, sys.executable, package))
if sys.version_info < (3, 11):
    sys.exit("sweepconv needs Python 3.11 or later; %s is %d.%d. Name another: make PYTHON=python3.12 ..."
             % ((sys.executable,) + sys.version_info[:2]))
try:
    import ensurepip, venv
except ImportError:
    need("the module venv with pip", "python3-venv")
compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
if not shutil.which(compiler):
    sys.exit("sweepconv needs a C compiler (GCC or Clang); there is no '%s'. "
             "On Debian or Ubuntu: apt-get install gcc libc6-dev" % compiler)
endef
export CHECK

# Debian has Python.h in a package of its own. Where it is missing, that package is fetched, not
# installed, which needs no root, and its headers are copied to .venv/include, where setuptools
# looks as well. The machine's lists of packages may be missing, or older than the archive: then
# fresh ones are fetched too, and removed after use. (Sandbox::User matters to root alone, whose apt
# would fetch as a user that may not enter the folder.)
define HEADERS
include=$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("include"))')
test -e "$$include/Python.h" && exit
package=lib$${include##*/}-dev # /usr/include/python3.11 is in libpython3.11-dev
echo "Python.h is missing: the headers of $$package go to $(VENV)/include"
rm -rf $(VENV)/apt && mkdir -p $(VENV)/apt/lists/partial && cd $(VENV)/apt
set -- -o "Dir::State::lists=$$PWD/lists" -o "Dir::Cache=$$PWD" -o APT::Sandbox::User=root
{
    apt-get download $$package || { apt-get "$$@" update; apt-get "$$@" download $$package; } &&
    dpkg -x $$package*.deb . && cp -R ".$$include/." usr/include/*-linux-* ../include
} >log 2>&1 && rm -rf ../apt && exit
cat log >&2
echo "sweepconv needs the header Python.h, which $(PYTHON) lacks." \
     "On Debian or Ubuntu: apt-get install python3-dev" >&2
exit 1
endef
export HEADERS

# The browser is Debian's, as a user would have it: Playwright's own would be a download of its own.
define CHROMIUM
for name in $$SWEEPCONV_CHROMIUM chromium chromium-browser google-chrome; do
    command -v "$$name" >/dev/null && exit
done
if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Chromium is missing: apt-get install chromium"
    export DEBIAN_FRONTEND=noninteractive
    { apt-get install -y chromium || { apt-get update && apt-get install -y chromium; } } \
        >$(VENV)/chromium.log 2>&1 && exit
    cat $(VENV)/chromium.log >&2
fi
echo "make test-browser needs Chromium. On Debian: apt-get install chromium." \
     "Or name one: SWEEPCONV_CHROMIUM=/path/to/chromium" >&2
exit 1
endef
export CHROMIUM

$(VENV)/.made:
	@command -v $(PYTHON) >/dev/null || { echo "there is no '$(PYTHON)'; name a Python 3.11 or later: make PYTHON=..."; exit 1; }
	@$(PYTHON) -c "$$CHECK"
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.headers: | $(VENV)/.made
	@sh -c "$$HEADERS"
	@touch $@

# What pyproject.toml asks of a build, in the environment itself: a rebuild then needs no network.
$(VENV)/.build-tools: pyproject.toml | $(VENV)/.headers
	@$(BIN)/python -c "import tomllib; print(*tomllib.load(open('$<', 'rb'))['build-system']['requires'], sep='\n')" >$@.txt
	$(PIP) -r $@.txt
	@touch $@

# setuptools compares the compiled modules with their sources, but not with its own flags nor with
# the list of files: where these change, the modules go first.
$(VENV)/.engine: $(ENGINE_SOURCES) $(VENV)/.build-tools
	@rm -f $(if $(filter setup.py $(shell find ext -type d),$?),src/sweepconv/*.so)
	$(PIP) --no-build-isolation -e .
	@touch $@

# PyTorch's own index has a build without GPUs, a tenth as large; where it cannot be reached, PyTorch
# comes from where all else does.
CPU_ONLY := https://download.pytorch.org/whl/cpu
$(VENV)/.torch: pyproject.toml | $(VENV)/.engine
	@torch=$$($(BIN)/python -c "import tomllib; print(*(p for p in tomllib.load(open('$<', 'rb'))['project']['optional-dependencies']['adapters'] if p.startswith('torch')))"); \
	$(PIP) --retries 0 --no-deps --index-url $(CPU_ONLY) "$$torch" 2>$(VENV)/torch.log || \
	echo "no answer from $(CPU_ONLY): $$torch comes from elsewhere, and may be large"
	@touch $@

# What follows asks for extras of the package by name: it is there, so pip builds no engine again.

# With the peers, and with what the adapters are for.
$(VENV)/.bench: EXTRAS := bench,peers
$(VENV)/.adapters: EXTRAS := test,adapters
$(VENV)/.bench $(VENV)/.adapters: pyproject.toml $(VENV)/.torch
	$(PIP) 'sweepconv[$(EXTRAS)]'
	@touch $@

# Each with its own extra; all may stand in one environment.
$(VENV)/.lab $(VENV)/.test $(VENV)/.dev $(VENV)/.docs: $(VENV)/.%: pyproject.toml | $(VENV)/.engine
	$(PIP) 'sweepconv[$*]'
	@touch $@

$(VENV)/.browser: pyproject.toml | $(VENV)/.test
	$(PIP) 'sweepconv[test,browser]'
	@touch $@
