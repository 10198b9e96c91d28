PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(VENV)/bin/pip --disable-pip-version-check -q
NAMESPACE ?=
DATASET ?=
BENCHMARKS ?= ../shared/data
export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: demo setup test test-all train bench lint publish cards

demo: $(VENV)/.demo  ## serve the Space with the embedded release on http://127.0.0.1:7860
	@$(PY) space/app.py

setup: $(VENV)/.setup  ## install everything into .venv

test: setup  ## run the tests, but for those marked slow
	$(PY) -m pytest -m "not slow"

test-all: setup  ## run all tests
	$(PY) -m pytest

train: setup  ## the whole chain in miniature: drawn cells to a published, pulled and used model
	$(PY) -m training.chain

lint: setup
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

bench: setup  ## measure the embedded release and the data set scripts on the real images in BENCHMARKS
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

$(PY):
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: space/requirements.txt | $(PY)
	@echo "installing the Space's requirements into $(VENV), once"
	@$(PIP) install -r space/requirements.txt
	@touch $@

# ultralytics asks for opencv-python, which needs a screen's libraries; the headless build holds the same module
$(VENV)/.setup: requirements.txt space/requirements.txt pyproject.toml | $(PY)
	$(PIP) install -r requirements.txt
	$(PIP) uninstall -y opencv-python
	$(PIP) install --force-reinstall --no-deps opencv-python-headless
	$(PIP) install --no-deps -e .
	@touch $@ $(VENV)/.demo
