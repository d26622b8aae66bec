# 只需要 Python >= 3.11、make 和 git；其余都装进 .venv 和 hooks/node_modules。
PYTHON ?= python3
# 从别的索引安装 torch，例如只含 CPU 的构建（见 README）
TORCH_INDEX ?=

BIN := .venv/bin
PYTHON_READY := .venv/.python-ready
NODE_READY := hooks/node_modules/.ready

export NO_MKDOCS_2_WARNING := 1

.PHONY: help setup serve build test check mutants measure bench audit lock clean

help: ## 列出各个命令
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' $(MAKEFILE_LIST)

setup: $(NODE_READY) ## 装好一切，此后不再上网

serve: $(NODE_READY) ## 在 http://127.0.0.1:8000/ 预览，改了页面、代码或钩子就重建
	$(BIN)/mkdocs serve

build: $(NODE_READY) ## 构建网站到 site/，有一处错误就失败
	$(BIN)/mkdocs build --strict

test: $(NODE_READY) ## 运行全部测试
	$(BIN)/pytest --cov --numprocesses auto --dist loadfile

check: $(PYTHON_READY) ## 检查格式、写法、类型和依赖
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/deptry .

mutants: $(NODE_READY) ## 照登记逐一改错代码，看每条主张的测试是否变红
	$(BIN)/python -m tests.mutants

measure: $(PYTHON_READY) ## 重测页面上的时间之比，写进 docs/assets/timings.json
	$(BIN)/python -m tests.timings

bench: $(NODE_READY) ## 量构建的快慢，都是比值，写进 bench.json
	$(BIN)/python -m tests.bench

audit: $(NODE_READY) ## 把提交的版本建两遍，逐字节比较
	$(BIN)/python -m tests.audit

lock: $(PYTHON_READY) ## 用最新的版本重写 constraints.txt 和 hooks/package-lock.json
	$(BIN)/pip install uv
	echo '# 由 make lock 生成：各 Python 版本、各系统通用。' > constraints.txt.partial
	$(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.11 \
	  --extra dev --no-header --no-annotate pyproject.toml >> constraints.txt.partial
	mv constraints.txt.partial constraints.txt
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm update --prefix hooks

clean: ## 删除构建的结果和缓存，保留装好的环境
	rm -rf site .site-* .cache .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache

$(PYTHON_READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "需要 Python >= 3.11，现在是 %d.%d；可以用 make PYTHON=python3.12 另指一个" % sys.version_info[:2])'
	$(PYTHON) -m venv .venv
	$(if $(TORCH_INDEX),$(BIN)/pip install --index-url $(TORCH_INDEX) -c constraints.txt torch)
	$(BIN)/pip install -c constraints.txt -e '.[dev]'
	touch $@

$(NODE_READY): hooks/package.json hooks/package-lock.json $(PYTHON_READY)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm ci --prefix hooks --ignore-scripts --no-audit --no-fund
	touch $@
