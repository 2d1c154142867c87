# Every target makes .venv first, from the hashed lock; it is remade only when a lock changes.
.DEFAULT_GOAL := help
unexport PYTHONDONTWRITEBYTECODE  # imports of seconds would be compiled anew in each process
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help demo test test-full soak load bench lint cluster-up cluster-down cluster-test data venv
help: ## show this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:[^#]*##/\t/' | expand -t 14

demo: venv ## tell the story: four releases, one of them a mistake, and a way back, in a throw-away clone under build/demo/
	slipway demo

test: data ## every test that needs no more than Python, git and make
	pytest tests $(addprefix --ignore=tests/,cluster demo full live load soak) -n 4 --dist loadgroup

test-full: data ## what also needs Debian packages, Go, npm and root: registry, kustomize, another verifier, no network
	scripts/debian.sh
	pytest tests/full -n 2 --dist loadfile

soak: N := 2
soak: data ## the demo with several seeds, N canaries of each challenger, every rule refused through DVC, and what was killed
	SLIPWAY_SOAK_N=$(N) pytest tests/soak tests/demo tests/live -n 4 --dist loadgroup

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

cluster-up: venv ## Kubernetes on this machine, in namespaces of its own, with Traefik and Argo Rollouts; needs root and Go
	scripts/debian.sh cluster
	python -m tests.cluster.machine up

cluster-down: venv ## end it, and remove all of it
	python -m tests.cluster.machine down

cluster-test: venv ## is a node what docs/cluster.md says, and is nothing left of it
	scripts/debian.sh cluster
	pytest tests/cluster

data: venv ## pull the sample data
	dvc pull --quiet data.dvc replay.dvc

venv:
	@scripts/venv.sh
