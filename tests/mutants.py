"""逐一照登记改错代码，看每条主张的测试是否变红：`python -m tests.mutants`。

只在一份副本上改。参数是要试的主张的 id，没有则全试。
"""

import multiprocessing
import os
import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from hooks.claims import Claim
from tests.conftest import ROOT
from tests.test_claims import CLAIMS, measure


def survives(claim: Claim, mutant: tuple[str, str, str]) -> bool:
    """改错之后，主张是否仍然成立（那是测试的漏洞）。

    Args:
        claim: 主张。
        mutant: `(文件, 原文, 改成)`，文件相对 `snippets/`。

    Raises:
        ValueError: 原文在文件里不是恰有一处。
    """
    file, old, new = mutant
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(ROOT / "snippets", Path(folder, "snippets")), file)
        text = copy.read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise ValueError(
                f"{claim.id}：{file} 里「{old}」应恰有 1 处，实有 {text.count(old)} 处"
            )
        copy.write_text(text.replace(old, new), encoding="utf-8")
        sys.path.insert(0, folder)
        for name in [n for n in sys.modules if n.partition(".")[0] == "snippets"]:
            del sys.modules[name]
        try:
            return claim.holds(measure(claim))
        except Exception:
            return False


def main(names: list[str]) -> int:
    """试各条主张，逐条打印；给出没有变红的条数。"""
    pairs = [
        (c, m) for c in CLAIMS.values() for m in c.mutants if not names or c.id in names
    ]
    fork = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(os.cpu_count(), fork, max_tasks_per_child=None) as pool:
        results = list(pool.map(survives, *zip(*pairs, strict=True))) if pairs else []
    for (claim, (file, old, new)), alive in zip(pairs, results, strict=True):
        print(f"{'没有变红' if alive else '变红'}  {claim.id}: {file}: {old} -> {new}")
    print(f"{len(results) - sum(results)} / {len(results)} 处改动被发现")
    return sum(results)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) > 0)
