# Everything is done from here: `make` prints what there is. Needs Python 3.11 or newer; `make run` brings the rest.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The first Python that is new enough, the one people call python3 before others.
ifndef PYTHON
PYTHON := $(shell for name in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$name" && break; done)
endif
WORKERS ?= 1

RUN := .venv/bin/python
DEV := .venv-dev/bin
COMPILE := $(DEV)/uv pip compile --quiet --universal --python-version 3.11 --no-header --annotation-style=line

# What the images say of themselves.
COMPOSE = NLP_REVISION=$$(git rev-parse HEAD 2>/dev/null || echo unknown) \
	NLP_CREATED=$$(date -u +%Y-%m-%dT%H:%M:%SZ) docker compose

.PHONY: help
help: ## Print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  make run WORKERS=3                                 three workers in one consumer group"
	@echo "  make run KAFKA_BOOTSTRAP_SERVERS=host:9092         a cluster that is there; KAFKA_* has its credentials"

.PHONY: run
run: .venv ## Start Kafka, worker and gateway; Ctrl-C stops them
	@NLP_LOCAL_WORKERS=$(WORKERS) exec $(RUN) -m local.run

.PHONY: demo
demo: .venv ## Stream sample texts through the running system
	@exec $(RUN) -m local.demo

.PHONY: dead-letters
dead-letters: .venv ## List the dead letters; ARGS="show 0@3" or ARGS="replay --code expired" for more
	@exec $(RUN) -m deadletters $(or $(ARGS),list)

.PHONY: test
test: .venv-dev ## Run every test, against a real broker
	@$(DEV)/python -m pytest

.PHONY: test-unit
test-unit: .venv-dev ## Run the tests that need neither broker nor model
	@$(DEV)/python -m pytest tests/unit tests/property

.PHONY: test-integration
test-integration: .venv-dev ## Run the tests against a real broker
	@$(DEV)/python -m pytest tests/integration

.PHONY: lint
lint: .venv-dev ## Check style and formatting
	@$(DEV)/ruff check .
	@$(DEV)/ruff format --check .

.PHONY: type
type: .venv-dev ## Check types
	@$(DEV)/mypy

.PHONY: format
format: .venv-dev ## Format the code and mend what can be mended
	@$(DEV)/ruff check --fix .
	@$(DEV)/ruff format .

.PHONY: schemas
schemas: .venv-dev ## Write the JSON Schemas of all records
	@$(DEV)/python -m schemas.generate

.PHONY: manifests
manifests: .venv-dev ## Write Grafana's dashboard, the cluster's alert rules and .env.example anew
	@$(DEV)/python -m deploy.grafana.dashboard
	@$(DEV)/python -m deploy.kubernetes.prometheus_rule
	@$(DEV)/python -m deploy.compose.env_example

# BUNDLE names another bundle than the shipped one, DATA the directory of the sets.
OF_BUNDLE = $(if $(BUNDLE),--bundle $(BUNDLE)) $(if $(DATA),--data $(DATA))

.PHONY: bundle
bundle: .venv-dev ## Make the model bundle from WEIGHTS, by default its own; with DATA its scores are calibrated
	@$(DEV)/python -m training.bundle $(if $(BUNDLE),--bundle $(BUNDLE)) $(if $(WEIGHTS),--weights $(WEIGHTS))
	@$(if $(DATA),$(DEV)/python -m training.calibrate $(OF_BUNDLE))

.PHONY: calibrate
calibrate: .venv-dev ## Fit on DATA what answers lose for their length, and temperatures: a score is the chance of being right
	@$(DEV)/python -m training.calibrate $(OF_BUNDLE)

.PHONY: evaluate
evaluate: .venv-dev ## Score the bundle with the official metrics; DATA=directory of the sets
	@$(DEV)/python -m training.evaluate $(OF_BUNDLE)

.PHONY: evaluate-product
evaluate-product: .venv-dev ## Score the same sets as records through Kafka and a worker, against the offline numbers
	@$(DEV)/python -m benchmarks.quality $(OF_BUNDLE)

.PHONY: gate
gate: .venv-dev ## Judge BUNDLE against the shipped one: int8, regressions, calibration, batch mates; status 6 refuses
	@$(DEV)/python -m training.gate $(OF_BUNDLE)

.PHONY: train
train: .venv-dev ## From the sets to a registered bundle; DATA=directory of the sets, ARGS="--quick" or "--resume"
	@$(DEV)/python -m training.pipeline $(if $(DATA),--data $(DATA)) $(ARGS)

.PHONY: register
register: .venv-dev ## Register the bundle in MLflow (MLFLOW_TRACKING_URI), the champion when it passed the gate
	@$(DEV)/python -m training.register

.PHONY: bench
bench: .venv-dev ## Measure throughput, latency and memory end to end
	@$(DEV)/python -m benchmarks

.PHONY: lock
lock: .venv-dev ## Pin all requirements and Kafka's jars anew
	@$(COMPILE) requirements-dev.in -o requirements-dev.txt
	@$(COMPILE) requirements.in -c requirements-dev.txt -o requirements.txt
	@$(COMPILE) requirements-local.in -c requirements-dev.txt -o requirements-local.txt
	@$(COMPILE) requirements-training.in -c requirements-dev.txt -o requirements-training.txt
	@$(COMPILE) requirements-tracing.in -c requirements-dev.txt -o requirements-tracing.txt
	@$(COMPILE) requirements-gateway.in -c requirements.txt -o requirements-gateway.txt
	@$(COMPILE) requirements-mlflow.in -c requirements-dev.txt -o requirements-mlflow.txt
	@$(DEV)/python -m local.lock

.PHONY: up
up: ## Build the images and run everything in containers
	@$(COMPOSE) up --detach --build

.PHONY: down
down: ## Stop the containers and keep their data
	@$(COMPOSE) down

.PHONY: load
load: .venv ## Send a steady load and count what becomes of it; SECONDS=60 RATE=50
	@exec $(RUN) -m benchmarks.continuity $(if $(SECONDS),--seconds $(SECONDS)) $(if $(RATE),--rate $(RATE))

.PHONY: clean
clean: ## Remove environments, caches and Kafka's data
	@rm -rf .venv .venv-dev var .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: .python
.python:
	@test -n "$(PYTHON)" && "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Python 3.11 or newer is needed and was not found: install python3.11, or say make PYTHON=..." >&2; \
		exit 1; }

.PHONY: .venv
.venv: .python
	@$(PYTHON) local/environment.py .venv requirements.txt requirements-local.txt

.PHONY: .venv-dev
.venv-dev: .python
	@$(PYTHON) local/environment.py .venv-dev requirements-dev.txt
