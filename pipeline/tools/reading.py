"""逐页量一个网站读起来怎样：重量、请求、无障碍、Lighthouse、HTML 的合法性。"""

import json
import os
import shutil
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from pipeline.katex import find_node
from pipeline.tools.addresses import SITE_URL, page_path, transferred, url
from pipeline.tools.project import ROOT
from pipeline.tools.reader import (
    DESKTOP,
    PHONE,
    VIOLATIONS,
    Reader,
    lay_out,
    moved,
)
from pipeline.tools.web import FLAGS, find_browser, host_rules, open_browser, serve

TOOLS = ROOT / ".tools" / "node_modules"
CATEGORIES = ["performance", "accessibility", "best-practices", "seo"]
HEADER = ["页", "HTML KB", "首次 KB", "请求", "外站", "元素", "宽 px"]
HEADER += ["CLS", "转动 ms", "TBT ms", "性能/无障碍/实践/SEO", "axe", "Nu"]
# Material 模板里的两处，浏览器都不在意：开关用的复选框有 autocomplete，
# 导航里折叠的标题有空的 tabindex
THEME_ERRORS = (
    "Attribute “autocomplete” is only",
    "Bad value “” for attribute “tabindex”",
)


@dataclass(frozen=True)
class Reading:
    """一页量得的值。

    Args:
        page: 页。
        html: HTML 压缩后的千字节。
        load: 在手机上首次打开，所取的本站文件压缩后的千字节。
        requests: 首次打开发出的请求。
        foreign: 其中向外站要的。
        elements: 元素的个数。
        width: 360 像素宽的窗口里整页的宽。
        shift: 版面移动 CLS，四种窗口之大者，转动旋钮时的也算。
        turn: 转动一个旋钮，到画出来，最慢的一个值的毫秒，三次的中位数；没有则为 0。
        blocking: Lighthouse 手机的总阻塞时间，毫秒，几次的中位数。
        scores: Lighthouse 手机的四项得分，几次的中位数。
        axe: axe 查出问题的元素，明暗、桌面与手机四次合计。
        errors: Nu 查出的错误，不计主题的；没有 Java 则为 None。
    """

    page: str
    html: float
    load: float
    requests: int
    foreign: int
    elements: int
    width: int
    shift: float
    turn: float
    blocking: float
    scores: Sequence[float]
    axe: int
    errors: int | None

    def row(self) -> list[str]:
        """表里的一行。"""
        scores = "/".join(f"{score:.0f}" for score in self.scores)
        errors = "—" if self.errors is None else str(self.errors)
        sizes = [f"{self.html:.1f}", f"{self.load:.1f}"]
        counts = [self.requests, self.foreign, self.elements, self.width]
        times = [f"{self.shift:.3f}", f"{self.turn:.0f}", f"{self.blocking:.0f}"]
        return [
            self.page,
            *sizes,
            *map(str, counts),
            *times,
            scores,
            str(self.axe),
            errors,
        ]


# 逐个旋钮换遍各值，共三遍；每换一次，到浏览器画好下一帧为止，一个值取三次的中位数
TURN = """async () => {
  const frame = () => new Promise(requestAnimationFrame)
  const painted = () => frame().then(() => new Promise(done => setTimeout(done)))
  const turns = {}
  for (let round = 0; round < 3; round++) {
    for (const [k, input] of document.querySelectorAll(".knobs input").entries()) {
      const range = input.type === "range"
      for (let n = 0; n <= (range ? Number(input.max) : 0); n++) {
        if (range) input.value = n
        else input.checked = true
        await painted()
        const start = performance.now()
        input.dispatchEvent(new Event("input", { bubbles: true }))
        await painted()
        ;(turns[[k, n]] ??= []).push(performance.now() - start)
      }
    }
  }
  const medians = Object.values(turns).map(times => times.sort((a, b) => a - b)[1])
  return Math.max(0, ...medians)
}"""


def turn_knobs(page: Page) -> float:
    """把一页的旋钮都转三遍，给出最慢的一个值的毫秒；浏览器放慢四倍，像一部普通的手机。

    Args:
        page: 打开的页。
    """
    for panel in page.locator(".knobs").all():
        panel.scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    slowest = float(page.evaluate(TURN))
    session.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    return slowest


def read_site(site: Path, pages: Sequence[str], runs: int) -> Iterator[Reading]:
    """逐页量一个网站。

    Args:
        site: 建成的网站。
        pages: 要量的页。
        runs: Lighthouse 在每页跑几次。
    """
    errors = validate([page_path(site, page) for page in pages])
    with serve(site) as port, open_browser(site) as browser:
        for page in pages:
            reports = [lighthouse(port, page) for _ in range(runs)]
            yield read_page(browser, site, page, reports, errors)


def read_page(
    browser: Browser,
    site: Path,
    page: str,
    reports: Sequence[Any],
    errors: Counter[Path] | None,
) -> Reading:
    """量一页；外站一律找不到。"""
    axe, shifts, turns = 0, [], []
    for device in DESKTOP, PHONE:
        for scheme in "light", "dark":
            reader = Reader(browser, **device, color_scheme=scheme)
            reader.page.goto(url(page), wait_until="networkidle")
            requests = [u for u in reader.requests if urlsplit(u).scheme != "data"]
            width = reader.page.evaluate("document.scrollingElement.scrollWidth")
            elements = reader.page.evaluate("document.querySelectorAll('*').length")
            turns.append(turn_knobs(reader.page))
            shifts.append(moved(reader.page))
            lay_out(reader.page)
            found = Axe().run(reader.page, options=VIOLATIONS).response["violations"]
            axe += sum(len(violation["nodes"]) for violation in found)
            reader.context.close()
    own = [u for u in requests if u.startswith(SITE_URL)]
    blocking = [r["audits"]["total-blocking-time"]["numericValue"] for r in reports]
    return Reading(
        page=page,
        html=transferred(site, url(page)) / 1000,
        load=sum(transferred(site, u) for u in own) / 1000,
        requests=len(requests),
        foreign=len(requests) - len(own),
        elements=elements,
        width=width,
        shift=max(shifts),
        turn=max(turns),
        blocking=statistics.median(blocking),
        scores=[
            statistics.median(100 * r["categories"][name]["score"] for r in reports)
            for name in CATEGORIES
        ],
        axe=axe,
        errors=None if errors is None else errors[page_path(site, page)],
    )


def lighthouse(port: int, page: str) -> Any:
    """用 Lighthouse 的手机设置打开一页，给出它的报告。"""
    flags = ["--headless", *FLAGS, host_rules(port).replace("=", '="') + '"']
    command = [
        find_node(),
        str(TOOLS / "lighthouse" / "cli" / "index.js"),
        url(page),
        "--quiet",
        "--output=json",
        f"--only-categories={','.join(CATEGORIES)}",
        f"--chrome-flags={' '.join(flags)}",
    ]
    environment = os.environ | {"CHROME_PATH": find_browser() or ""}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def validate(paths: Sequence[Path]) -> Counter[Path] | None:
    """用 Nu 查 HTML，给出每个文件的错误数，不计主题的；没有 Java 则为 None。"""
    if not (java := shutil.which("java")):
        return None
    jar = str(TOOLS / "vnu-jar" / "build" / "dist" / "vnu.jar")
    command = [
        java,
        "-jar",
        jar,
        "--errors-only",
        "--exit-zero-always",
        "--format",
        "json",
    ]
    done = subprocess.run(
        [*command, *map(str, paths)], stderr=subprocess.PIPE, check=True
    )
    messages = json.loads(done.stderr)["messages"]
    for message in messages:
        if not message["message"].startswith(THEME_ERRORS):
            place = f"{Path(message['url']).parent.name}:{message['lastLine']}"
            text = " ".join(message["message"].split())
            print(f"Nu {place} {text}", file=sys.stderr)
    return Counter(
        Path(urlsplit(message["url"]).path)
        for message in messages
        if not message["message"].startswith(THEME_ERRORS)
    )
