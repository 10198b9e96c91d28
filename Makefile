PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(VENV)/bin/pip --disable-pip-version-check -q
NAMESPACE ?=
DATASET ?=
BENCHMARKS ?= ../shared/data
JOBS ?= 3
export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: demo setup test test-all train bench lint publish cards requirements audit soak

demo: $(VENV)/.demo  ## serve the Space with the embedded release on http://127.0.0.1:7860
	@$(PY) space/app.py

setup: $(VENV)/.setup  ## install everything into .venv

test: setup  ## run the tests, but for those marked slow
	$(PY) -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder --max-worker-restart 0 -m "not slow and not timed"
	$(PY) -m pytest -m "not slow and timed"

test-all: setup  ## run all tests
	$(PY) -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder --max-worker-restart 0 -m "not timed"
	$(PY) -m pytest -m timed

train: setup  ## the whole chain in miniature: drawn cells to a published, pulled and used model
	$(PY) -m training.chain

lint: setup  ## style and types of the Python, and of the JavaScript where there is node
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	@rm -f space/screen/*.pyi  # that Gradio writes, and mypy would take for the sources
	$(PY) -m mypy -p marrow -p screen -p training -p model_cards -p benchmarks
	$(PY) -m training.requirements --check
	@if command -v npm >/dev/null; then npm ci --silent --no-audit --no-fund && npm run --silent lint; \
	else echo "no npm on the PATH: the JavaScript is not checked"; fi

bench: setup  ## [ONLY=accuracy|speed|scale|browser]: measure the embedded release and the data set scripts on the real images in BENCHMARKS
	BENCHMARKS="$(BENCHMARKS)" PY=$(PY) benchmarks/bench.sh

cards: setup  ## render the cards and the README's figures from metrics.json and benchmarks/results.json
	$(PY) -m training.explain --drawn --out hub/bone-marrow-mobilenet
	$(PY) -m training.export keras --model hub/bone-marrow-mobilenet --out hub/bone-marrow-mobilenet/model.keras
	$(PY) -m model_cards.render hub/bone-marrow-mobilenet hub/bone-marrow-yolov8-seg
	$(PY) -m model_cards.readme

publish: setup  ## NAMESPACE=… [DATASET=folder] [ONLY=part] [PRIVATE=1] [DRY_RUN=1] [PR=1] [FORCE=1]: push to the Hub
	$(if $(NAMESPACE),,$(error name the user or organisation on the Hub: make publish NAMESPACE=you))
	@$(PY) -m training.export keras --model hub/bone-marrow-mobilenet --out hub/bone-marrow-mobilenet/model.keras
	@$(PY) -m model_cards.render hub/bone-marrow-mobilenet hub/bone-marrow-yolov8-seg
	@$(PY) -m training.publish --namespace "$(NAMESPACE)" $(if $(DATASET),--dataset-dir "$(DATASET)") \
		$(if $(ONLY),--only $(ONLY)) $(if $(PRIVATE),--private) $(if $(DRY_RUN),--dry-run) $(if $(PR),--pr) $(if $(FORCE),--force)

requirements: setup  ## write every list of dependencies and the lock file from pyproject.toml
	$(PY) -m training.requirements --lock

soak: setup  ## hours of odd input, kills, full disks and 64 visitors; the figures go to benchmarks/results.json
	$(PY) -m tests.soak
	$(PY) -m model_cards.readme

audit: setup  ## look the packages of requirements.lock up for known vulnerabilities
	$(PY) -m training.audit

$(PY):
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: space/requirements.txt | $(PY)
	@echo "installing the Space's requirements into $(VENV), once"
	@$(PIP) install -r space/requirements.txt
	@touch $@

# the lock names every package, with its hash: nothing is resolved, and opencv-python, for which ultralytics asks, stays out
$(VENV)/.setup: requirements.lock pyproject.toml | $(PY)
	$(PIP) install --no-deps -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.demo
