"""构建要导入的一切，和分词的词典：forkserver 先备好，分出的进程就不必再等。"""

import jieba
import material.plugins.search.plugin
import mkdocs.__main__
import mkdocs_jupyter.plugin

import pipeline.plugin

__all__ = ["material", "mkdocs", "mkdocs_jupyter", "pipeline"]

jieba.initialize()
