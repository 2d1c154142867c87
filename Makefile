# Every target makes .venv first, from the hashed lock; it is remade only when a lock changes.
.DEFAULT_GOAL := help
unexport PYTHONDONTWRITEBYTECODE  # imports of seconds would be compiled anew in each process
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help demo test test-full workflow-test soak load bench lint cluster-up cluster-down cluster-test chaos data venv
help: ## show this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:[^#]*##/\t/' | expand -t 14

demo: venv ## tell the story: four releases, one of them a mistake, and a way back, in a throw-away clone under build/demo/
	slipway demo

test: data ## the tests of every commit: they need no more than Python, git and make
	pytest tests $(addprefix --ignore=tests/,cluster demo full live load soak workflows) -n 4 --dist loadgroup

test-full: data ## what also needs Debian packages, Go, npm and root: registry, kustomize, another verifier, no network
	scripts/debian.sh
	pytest tests/full -n 3 --dist loadfile

workflow-test: data ## what comes of a push and of a pull request, by the workflows' own lines, without GitHub
	pytest tests/workflows -n 2 --dist worksteal

soak: N := 2
soak: MUTATED := tests/workflows/test_mutations.py
soak: data ## the demo with several seeds, N canaries of each challenger, every rule and each line of a workflow
	SLIPWAY_SOAK_N=$(N) SLIPWAY_MUTATIONS=all pytest tests/soak tests/demo tests/live $(MUTATED) -n 4 --dist loadgroup

load: data ## p95 of the service under load against the objective
	python tests/load/run.py

bench: data ## the tables of docs/benchmarks.md, measured here
	python bench/serving.py
	python bench/pipeline.py
	python bench/judge.py
	python bench/verifying.py

lint: venv ## format, lint, types, import contracts
	ruff format --check .
	ruff check .
	mypy
	lint-imports

cluster-up: venv ## the whole platform on this machine, a champion live, in namespaces of its own; needs root and Go
	scripts/debian.sh cluster
	python -m tests.cluster.machine up

cluster-down: venv ## end it, and remove all of it
	python -m tests.cluster.machine down

cluster-test: data ## each scenario on such a platform: what comes of a release, and do Git, cluster and registry agree
	scripts/debian.sh cluster
	pytest tests/cluster -s

chaos: data ## on such a platform, each part of the loop fails around a canary: the tables of docs/reliability.md
	scripts/debian.sh cluster
	SLIPWAY_CHAOS=full pytest tests/cluster/chaos -s

data: venv ## pull the sample data
	dvc pull --quiet data.dvc replay.dvc

venv:
	@scripts/venv.sh
