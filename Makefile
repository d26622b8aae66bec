# 只需要 Python >= 3.11、make 和 git；其余都装进 .venv 和 pipeline/node_modules。
PYTHON ?= python3
# 从别的索引安装 torch，例如只含 CPU 的构建（见 README）
TORCH_INDEX ?=

BIN := .venv/bin
PYTHON_READY := .venv/.python-ready
NODE_READY := pipeline/node_modules/.ready
TOOLS_READY := .tools/.ready
PEERS_READY := .tools/peers/.ready

# 只预览这一页
ONLY ?=

export NO_MKDOCS_2_WARNING := 1

.PHONY: help setup serve build offline pdf release test quick check mutants measure new bench audit card lock clean

help: ## 列出各个命令
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' $(MAKEFILE_LIST)

setup: $(NODE_READY) ## 装好一切，此后不再上网

serve: $(NODE_READY) ## 在 http://127.0.0.1:8000/ 预览，改了就重建；只看一页：make serve ONLY=residual_block
	ONLY=$(ONLY) $(BIN)/mkdocs serve

build: $(NODE_READY) ## 构建网站到 site/，有一处错误就失败
	$(BIN)/mkdocs build --strict

offline: $(NODE_READY) ## 构建从磁盘打开的网站到 site-offline/，双击 index.html 就能读
	OFFLINE=true $(BIN)/mkdocs build --strict --site-dir site-offline

pdf: build ## 把网站印成一份 deep-learning-qa.pdf，要有 Chromium
	$(BIN)/python -m pipeline.tools.pdf

release: $(NODE_READY) ## 构建要发布的网站：首页上另有 PDF 和离线网站的 zip
	DOWNLOADS=true $(BIN)/mkdocs build --strict
	$(MAKE) --no-print-directory offline
	$(BIN)/python -m pipeline.tools.pack site-offline site/deep-learning-qa-offline.zip
	$(BIN)/python -m pipeline.tools.pdf site site/deep-learning-qa.pdf

test: $(NODE_READY) ## 运行全部测试，量覆盖率
	$(BIN)/pytest --cov --cov-report= --numprocesses auto --dist worksteal
	$(BIN)/coverage report --include='snippets/*' --fail-under=100
	$(BIN)/coverage report --include='pipeline/*' --fail-under=95

quick: $(NODE_READY) ## 一分钟以内的检查：make check，和不建网站、不开内核与浏览器的测试
	$(MAKE) --no-print-directory check
	$(BIN)/pytest -m 'not slow' --numprocesses auto --dist worksteal

check: $(PYTHON_READY) ## 检查格式、写法、类型和依赖
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/deptry .

mutants: $(NODE_READY) ## 照登记逐一改错代码，看每条主张的测试是否变红
	$(BIN)/python -m pipeline.tools.mutants

measure: $(PYTHON_READY) ## 重测页面上的时间之比，写进 docs/assets/timings.json
	$(BIN)/python -m pipeline.tools.measure

bench: $(NODE_READY) $(PEERS_READY) ## 量构建的快慢，都是比值，写进 bench.json
	$(BIN)/python -m pipeline.tools.bench

audit: $(NODE_READY) $(TOOLS_READY) ## 把提交的版本建两遍，逐字节比较；逐页量读起来怎样
	$(BIN)/python -m pipeline.tools.audit $(RUNS)

new: $(PYTHON_READY) ## 添一道题：make new NAME=dropout TITLE="Q8：Dropout 为什么有效？"
	@$(BIN)/python -m pipeline.tools.new $(if $(NAME),"$(NAME)") $(if $(TITLE),"$(TITLE)")

card: $(PYTHON_READY) ## 重画分享到社交网站的卡片
	$(BIN)/python -m pipeline.tools.card

lock: $(PYTHON_READY) ## 用最新的版本重写 constraints.txt 和两份 package-lock.json
	$(BIN)/pip install uv
	echo '# 由 make lock 生成：各 Python 版本、各系统通用。' > constraints.txt.partial
	$(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.11 \
	  --extra dev --no-header --no-annotate pyproject.toml >> constraints.txt.partial
	mv constraints.txt.partial constraints.txt
	for folder in pipeline pipeline/tools; do PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm update --prefix $$folder; done

clean: ## 删除构建的结果和缓存，保留装好的环境
	rm -rf site site-offline deep-learning-qa.pdf .site-* .cache .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache

# 运行一条命令，不显示它写的；失败了才全部显示
QUIETLY := sh -c 'log=$$(mktemp); "$$@" > $$log 2>&1 || { cat $$log >&2; rm $$log; exit 1; }; rm $$log' quietly

$(PYTHON_READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "需要 Python >= 3.11，现在是 %d.%d；可以用 make PYTHON=python3.12 另指一个" % sys.version_info[:2])'
	@echo "第一次要装 Python 的包：下载约 0.5 GB（Linux 上没有设 TORCH_INDEX 是 3 GB），装好约 2 GB，约 3 分钟。"
	@$(PYTHON) -m venv .venv
	@$(if $(TORCH_INDEX),$(QUIETLY) $(BIN)/pip install --no-deps --index-url $(TORCH_INDEX) -c constraints.txt torch)
	@$(QUIETLY) $(BIN)/pip install -c constraints.txt -e '.[dev]'
	@touch $@

NPM_CI := PATH="$(CURDIR)/$(BIN):$$PATH" $(QUIETLY) $(BIN)/npm ci --ignore-scripts --no-audit --no-fund

$(NODE_READY): pipeline/package.json pipeline/package-lock.json $(PYTHON_READY)
	@echo "再装 npm 的包：公式、编辑器和浏览器里的 Python，约 20 MB，半分钟。"
	@$(NPM_CI) --prefix pipeline
	@touch $@

# 只有 make audit 要，文件很多：放在预览不看的文件夹里
$(TOOLS_READY): pipeline/tools/package.json pipeline/tools/package-lock.json $(PYTHON_READY)
	@echo "再装 Lighthouse 和 Nu，约 1 分钟。"
	@mkdir -p .tools
	@cp pipeline/tools/package.json pipeline/tools/package-lock.json .tools/
	@$(NPM_CI) --prefix .tools
	@touch $@

# 只有 make bench 要：对照的 MyST-NB
$(PEERS_READY): $(PYTHON_READY)
	@echo "再装 MyST-NB，约 1 分钟。"
	@$(QUIETLY) $(BIN)/pip install --target .tools/peers -c constraints.txt myst-nb==1.4.0
	@touch $@
