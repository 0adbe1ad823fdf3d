# Every target runs in one Python environment that is made on first use; see docs/development.md.
# Needs Python 3.11 or newer, git and make. Extra arguments for the tool behind a target: make unit ARGS="-k gate".

DEV := scripts/dev
ARGS ?=

.PHONY: help demo test lint unit integration molecule sanity faults bench docs build clean clean-cache
.NOTPARALLEL:

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## run profile smoke on a real control plane, brought up here (REAL_NODE=true: with a node; DEMO_CLUSTER=current: on yours)
	@$(DEV) demo $(ARGS)

test: ## everything: lint, sanity, molecule, unit and integration tests
	@$(DEV) test $(ARGS)

lint: ## ruff, mypy, import contract, ansible-lint, changelog fragments, generated pages
	@$(DEV) lint $(ARGS)

unit: ## unit tests only, under a minute, no cluster
	@$(DEV) unit $(ARGS)

integration: ## tests against a real control plane
	@$(DEV) integration $(ARGS)

molecule: ## the roles' scenarios against a real control plane
	@$(DEV) molecule $(ARGS)

sanity: ## ansible-test sanity
	@$(DEV) sanity $(ARGS)

faults: ## runs under faults: resets, outages, login pages and more, as a table (DEFENCE=off: each without what withstands it)
	@$(DEV) faults $(ARGS)

bench: ## measure speed and memory, print the table
	@$(DEV) bench $(ARGS)

docs: ## write the generated files anew: roles' defaults and argument specs, pages of modules and roles
	@$(DEV) docs $(ARGS)

build: ## build the collection's tarball into build/
	@$(DEV) build $(ARGS)

clean: ## stop the embedded cluster, remove what building and testing made here; keep cache and results
	@$(DEV) clean

clean-cache: clean ## also remove the cache: Python environments and control-plane binaries
	@$(DEV) clean-cache
