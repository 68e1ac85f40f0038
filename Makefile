# Each target installs what is missing first: system packages, a virtual environment, CPU torch.
#
#   make demo    segment real images through the public API and the plugin
#   make test    the tests; lint, types, manifest and slow are the other environments of tox.ini
#   make check   all of them
#   make clean   remove everything that these made

PYTHON ?= python3
PIP := .venv/bin/python -m pip --disable-pip-version-check
FROM := --find-links .wheels --constraint constraints.txt

.PHONY: demo test slow lint types manifest check clean system

demo: .venv/package
	.venv/bin/python examples/demo.py

test slow lint types manifest: .venv/tox
	.venv/bin/tox run -e $@

check: lint types manifest slow test

.venv/package: .venv/pip pyproject.toml constraints.txt
	$(PIP) install --quiet $(FROM) torch
	$(PIP) install --quiet $(FROM) --editable . "napari[pyqt6]"
	touch $@

.venv/tox: .venv/pip
	$(PIP) install --quiet "tox>=4.22"
	touch $@

.venv/pip: | system
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit( \
	    f"napari-sam needs Python 3.11 or newer, found {sys.version.split()[0]}: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv --clear .venv
	$(PIP) install --quiet --upgrade pip
	tools/torch-cpu.sh
	touch $@

system:
	@PYTHON="$(PYTHON)" tools/system-packages.sh

clean:
	rm -rf .venv .wheels .wheels.part .tox build dist demo-output docs/_build
	rm -rf .coverage* htmlcov .hypothesis .mypy_cache .pytest_cache .ruff_cache
	rm -f src/napari_sam/napari.yaml
	find src tests examples benchmarks -name __pycache__ -type d -exec rm -rf {} +
