"""运行笔记本的设置；mkdocs-jupyter 经 JUPYTER_CONFIG_DIR 找到这里。"""

from pipeline import execution

c = get_config()  # type: ignore[name-defined]  # noqa: F821
c.NotebookClient.kernel_manager_class = execution.SilentKernelManager
c.NotebookClient.timeout = execution.time_limit()
c.NotebookClient.on_cell_execute = execution.remember
c.NotebookClient.extra_arguments = ["--IPKernelApp.log_level=50"]
c.NotebookClient.shutdown_kernel = "immediate"  # 结果已经取到，不等内核自己收拾
