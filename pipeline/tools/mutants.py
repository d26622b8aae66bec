"""逐一照登记改错代码，看每条主张是否不再成立：`make mutants`。

只在副本上改。参数是要试的主张的 id，没有则全试。
"""

import multiprocessing
import os
import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from pipeline.claims import SEED, Claim, format_number, measure, read_claims
from pipeline.tools.project import ROOT

CLAIMS, _ = read_claims(ROOT / "tests" / "claims")


def try_mutant(claim: Claim, mutant: tuple[str, str, str]) -> tuple[bool, str]:
    """改错之后再量一遍。

    Args:
        claim: 主张。
        mutant: `(文件, 原文, 改成)`，文件相对 `snippets/`。

    Returns:
        测试是否变红，和量出的值或抛出的异常。

    Raises:
        ValueError: 原文在文件里不是恰有一处。
    """
    file, old, new = mutant
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(ROOT / "snippets", Path(folder, "snippets")), file)
        text = copy.read_text(encoding="utf-8")
        if (count := text.count(old)) != 1:
            raise ValueError(
                f"{claim.id}：{file} 里「{old}」应恰有 1 处，实有 {count} 处"
            )
        copy.write_text(text.replace(old, new), encoding="utf-8")
        sys.path.insert(0, folder)
        for name in [n for n in sys.modules if n.partition(".")[0] == "snippets"]:
            del sys.modules[name]
        try:
            value = measure(claim, SEED)
        except Exception as error:
            return True, type(error).__name__
        finally:
            sys.path.remove(folder)
        return not claim.holds(value), format_number(value)


def main(names: list[str]) -> int:
    """试各条主张，逐条打印；给出没有变红的处数。"""
    chosen = [claim for claim in CLAIMS.values() if not names or claim.id in names]
    if unknown := set(names) - set(CLAIMS):
        raise SystemExit(f"没有名为 {'、'.join(sorted(unknown))} 的主张")
    pairs = [(claim, mutant) for claim in chosen for mutant in claim.mutants]
    missed, caught = 0, set()
    fork = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(os.cpu_count(), fork) as pool:
        results = pool.map(try_mutant, *zip(*pairs, strict=True)) if pairs else []
        for (claim, (_, old, new)), (red, value) in zip(pairs, results, strict=True):
            missed += not red
            caught |= {claim.id} if red else set()
            verdict = "变红" if red else "没有变红"
            found = f"{claim.describe()}，量出 {value}"
            print(f"{verdict}  {claim.id}  {found}：{old} -> {new}")
    total = f"{len(pairs) - missed} / {len(pairs)} 处改动"
    print(f"{total}、{len(caught)} / {len(chosen)} 条主张")
    return missed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) > 0)
