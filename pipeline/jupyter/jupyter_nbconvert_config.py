"""运行笔记本的设置；mkdocs-jupyter 经 JUPYTER_CONFIG_DIR 找到这里。"""

from pipeline.jupyter import executor

c = get_config()  # type: ignore[name-defined]  # noqa: F821
c.NotebookClient.update(executor.running.settings)
