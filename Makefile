# Millrace. `make help` says what there is. The program behind it is infra/ (`python -m infra --help`).
SHELL := /bin/bash
PYTHON ?= python3.11
PROFILE ?= core
BOOT := $(PYTHON) infra/bootstrap.py
INFRA := .venv/bin/python -m infra
PYTEST := .venv/bin/pytest
SYSTEM := .venv/bin/python -m infra.setup.system_packages
.DEFAULT_GOAL := help
.PHONY: setup env up down status open demo test test-unit test-faults nemesis bench check lint doctor lock docs backup restore clean logs help

setup: ## Install everything this clone needs; a second time it only looks
	@$(BOOT) infra.setup

env: ## Write .env with fresh passwords, mode 600 (the container stack needs no more)
	@$(BOOT) infra.env_file

up: setup ## Start the stack and wait until it is ready (PROFILE=core)
	@$(INFRA) up --profile $(PROFILE)

down: ## Stop the stack: no process is left, the data stays
	@[ ! -x .venv/bin/python ] || $(INFRA) down

status: ## Show every service: state, memory, address
	@$(INFRA) status

open: ## Print the addresses and logins
	@$(INFRA) open

logs: ## Follow the logs of all services (SERVICE=spark for one)
	@$(INFRA) logs $(SERVICE)

demo: up ## From committed rows to served predictions, shown step by step (DATA=<folder> with real files, PROBLEMS="stroke loan")
	@.venv/bin/millrace demo $(PROBLEMS) $(if $(DATA),--data "$(DATA)")
	@$(INFRA) open

test: setup ## All tests; starts and stops a stack of its own (≤ 25 min)
	@$(SYSTEM) chromium chromedriver
	@$(PYTEST) -m "not faults and not bench"

test-unit: setup ## Tests that need no stack (the inner loop)
	@$(SYSTEM) chromium chromedriver
	@$(PYTEST) -m "not stack and not faults and not bench"

test-faults: setup ## Kill services mid-work and compare the tables
	@$(PYTEST) -m faults

nemesis: setup ## Kill at random while files land, N rounds, and compare the tables (N=100)
	@$(PYTEST) -s tests/faults/test_nemesis.py --rounds $(or $(N),100)

bench: setup ## Measure the path, growth, the model and the search
	@$(SYSTEM) wrk
	@$(PYTEST) -m bench -s benchmarks

lint: setup ## Check the problem files (include/problems/*.yaml)
	@.venv/bin/millrace lint

check: setup ## Style, types, import contracts, locks, problem files, containers, docs (≤ 60 s)
	@$(INFRA) check

doctor: ## What this machine lacks, and the way out
	@$(PYTHON) infra/doctor.py

lock: ## Compile requirements/*.txt anew from pyproject.toml (UPGRADE=1 takes newer versions)
	@$(BOOT) infra.locks $(if $(UPGRADE),--upgrade)

docs: setup ## Write docs/reference/ and the editors' schema anew from the code
	@.venv/bin/python -m docs.drift --write

backup: setup ## Copy databases and objects to a folder, while the stack works (TO=<folder>)
	@$(INFRA) backup $(if $(TO),--to "$(TO)")

restore: setup ## Put a backup into an empty stack (FROM=<folder>; FORCE=1 removes what is there)
	@$(INFRA) restore --from "$(FROM)" $(if $(FORCE),--force)

clean: down ## Remove the stack's data (FORCE=1 does not ask; ALL=1 removes .env, tools and environments too)
	@[ ! -x .venv/bin/python ] || $(INFRA) clean $(if $(FORCE),--force) $(if $(ALL),--all)

help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' | awk -F'\t' '{printf "  \033[1m%-12s\033[0m %s\n", $$1, $$2}'
