"""在真的浏览器里手撕、自测：写、运行、停下、留着；不取不要的，也不向外站要东西。"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, Route, expect

from pipeline.cache import Cache
from pipeline.practice import editor
from pipeline.tools.addresses import transferred, url
from pipeline.tools.project import EXERCISES, STEMS
from pipeline.tools.reader import DESKTOP, PHONE, VIOLATIONS, Reader
from tests.answers import mistaken, solution

SLOW = 60_000  # 毫秒；第一次运行要取 Python，忙的机器上要等
DRIVE = """async jobs => {
  const worker = new Worker("../assets/practice/worker.js", { type: "module" })
  const results = []
  for (const job of jobs) {
    worker.postMessage(job)
    results.push(await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => {
        if (data.kind === "done") resolve(data.value)
        if (data.kind === "broken") reject(data.value)
      }
    }))
  }
  return results
}"""
FIELD = next(e for e in EXERCISES if e.name == "receptive_field")


def open_box(page: Page) -> Locator:
    """打开感受野那一题，等编辑器取来。"""
    page.goto(f"{url('practice/temporal_conv')}")
    box = page.locator(".exercise").first
    box.locator(".cm-content").wait_for()
    return box


def write(box: Locator, code: str) -> None:
    """在编辑器里换上一段代码。"""
    box.locator(".cm-content").focus()
    box.page.keyboard.press("Control+a")
    box.page.keyboard.insert_text(code)


def press(box: Locator, code: str, told: str) -> None:
    """写一段代码，运行，等到说出 `told`。"""
    write(box, code)
    box.get_by_role("button", name="运行").click()
    expect(box.locator(".exercise-status")).to_contain_text(told, timeout=SLOW)


@pytest.mark.parametrize("window", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_an_exercise_is_solved_in_the_page(
    read: Callable[..., Reader], window: dict[str, Any]
) -> None:
    """过、没过、语法错、死循环，各说清；页面一直能用。"""
    reader = read(**window)
    page = reader.page
    box = open_box(page)
    assert not any("pyodide" in u for u in reader.requests)
    code = solution(FIELD)
    press(box, f"{code}\nprint('看')", "全部通过：4 项测试。")
    expect(box.locator(".exercise-printed")).to_have_text("你印出的：\n看\n")
    expect(box.locator(".exercise-results .passed")).to_have_count(4)
    press(box, mistaken(FIELD, 0), "4 项测试，2 项没过。")
    failed = box.locator(".exercise-results .failed").first
    expect(failed).to_contain_text(
        "receptive_field(3, 1) 应是 5，得到 3。每块有两个卷积"
    )
    assert Axe().run(page, options=VIOLATIONS).violations_count == 0
    press(box, "def receptive_field(k, n)\n    return 1", "第 1 行：语法不对")
    press(box, "import torch", "第 1 行：这里没有这个模块")
    press(box, "while True:\n    pass", "行：运行超过 5 秒，停下了。循环有没有出口？")
    write(box, "while True:\n    pass")
    box.get_by_role("button", name="运行").click()
    stop = box.get_by_role("button", name="停止")
    expect(box.locator(".exercise-status")).to_have_text("正在运行……")
    page.wait_for_timeout(500)
    stop.click()
    status = box.locator(".exercise-status")
    expect(status).to_have_text(re.compile(r"停下了，停在第 [12] 行。"))
    press(box, code, "全部通过")
    assert page.evaluate("document.scrollingElement.scrollWidth") <= max(
        360, window["viewport"]["width"]
    )


def test_what_was_written_stays_in_this_browser(read: Callable[..., Reader]) -> None:
    """换页、重新打开都在；重来就清掉；导出的就是写的。"""
    page = read(**DESKTOP).page
    box = open_box(page)
    write(box, "def receptive_field(k, n):\n    return 0\n")
    page.reload()
    box.locator(".cm-content").wait_for()
    expect(box.locator(".cm-content")).to_contain_text("return 0")
    with page.expect_download() as download:
        box.get_by_role("button", name="导出").click()
    assert download.value.suggested_filename == "receptive_field.py"
    assert "return 0" in Path(download.value.path()).read_text(encoding="utf-8")
    box.get_by_role("button", name="重来").click()
    expect(box.locator(".cm-content")).to_contain_text("# 写在这里")
    page.reload()
    box.locator(".cm-content").wait_for()
    expect(box.locator(".cm-content")).to_contain_text("# 写在这里")


def test_keyboard_enters_writes_and_leaves_the_editor(
    read: Callable[..., Reader],
) -> None:
    """Material 的快捷键不抢编辑器里的字；Tab 离开；提示一步步打开。"""
    page = read(**DESKTOP).page
    box = open_box(page)
    write(box, "")
    page.keyboard.type("snpf/,.")
    expect(box.locator(".cm-content")).to_have_text("snpf/,.")
    assert box.locator(".cm-content").get_attribute("aria-label") == (
        "写 receptive_field 的代码，按 Tab 离开"
    )
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "运行"
    box.get_by_role("button", name="提示").click()
    expect(box.locator("details[open] > summary")).to_have_text(["提示 1"])
    box.get_by_role("button", name="提示").click()
    expect(box.locator("details[open] > summary")).to_have_text(["提示 1", "提示 2"])
    box.get_by_role("button", name="答案").click()
    expect(box.locator("details[open] .highlight")).to_contain_text("2**num_blocks - 1")


def test_from_a_question_to_its_exercise_without_reloading(
    read: Callable[..., Reader],
) -> None:
    page = read(**DESKTOP).page
    page.goto(url("temporal_conv"), wait_until="networkidle")
    page.evaluate("window.stayed = true")
    page.get_by_role("link", name="感受野", exact=True).last.click()
    page.wait_for_url(f"{url('practice/temporal_conv')}*")
    box = page.locator(".exercise").first
    box.locator(".cm-content").wait_for()
    press(box, solution(FIELD), "全部通过")
    assert page.evaluate("window.stayed")


def test_a_link_to_the_last_exercise_brings_the_editor(
    read: Callable[..., Reader],
) -> None:
    """前面的题一道也没看见，后面的一样能做。"""
    page = read(**DESKTOP).page
    page.goto(f"{url('practice/temporal_conv')}#StreamingConv")
    page.locator(".exercise").last.locator(".cm-content").wait_for()


@pytest.mark.slow
def test_every_solution_and_every_mistake_in_the_browser(browser: Browser) -> None:
    """解答全绿，错法全红，在浏览器里也一样；一个线程做完。"""
    jobs = []
    for exercise in EXERCISES:
        codes = [solution(exercise)]
        codes += [mistaken(exercise, n) for n in range(len(exercise.wrong))]
        jobs += [
            {"stem": exercise.stem, "name": exercise.name, "code": code}
            for code in codes
        ]
    page = browser.new_page()
    page.set_default_timeout(600_000)
    page.goto(url("practice"))
    results = page.evaluate(DRIVE, jobs)
    page.close()
    green = [
        not result["error"] and all(test["passed"] for test in result["tests"])
        for result in results
    ]
    counts = [len(exercise.wrong) for exercise in EXERCISES]
    wanted = [colour for n in counts for colour in [True, *[False] * n]]
    assert green == wanted


def test_a_question_page_loads_next_to_nothing_of_it(
    read: Callable[..., Reader], site: Path
) -> None:
    reader = read(**PHONE)
    reader.page.goto(url(STEMS[0]), wait_until="networkidle")
    sizes = [transferred(site, u) for u in reader.requests if "/practice/" in u]
    assert sum(sizes) <= 5_000


def test_the_headers_let_the_worker_run(browser: Browser, site: Path) -> None:
    """线程归响应头管：照 `_headers` 发，Python 运行得了。"""
    sent = (site / "_headers").read_text(encoding="utf-8")
    (policy,) = re.findall(r"Content-Security-Policy: (.*)", sent)

    def answer(route: Route) -> None:
        kind = {"content-type": "text/javascript", "content-security-policy": policy}
        route.fulfill(path=site / "assets" / "practice" / "worker.js", headers=kind)

    context = browser.new_context(**DESKTOP)
    context.route("**/worker.js", answer)
    press(open_box(context.new_page()), solution(FIELD), "全部通过")
    context.close()


def marks(page: Page) -> dict[str, dict[str, float]]:
    """记下的各题。"""
    kept = page.evaluate("localStorage.getItem('/qa/.quiz')")
    return dict(json.loads(kept or "{}"))


def test_a_quiz_is_drawn_timed_marked_and_asked_again(
    read: Callable[..., Reader], tmp_path: Path
) -> None:
    """抽一题，计时，记下会不会；答不出的先再问，答得出的隔 1 天、6 天。"""
    page = read(**DESKTOP).page
    page.goto(url("quiz"))
    panel = page.locator(".quiz-panel")
    panel.get_by_role("button", name="抽一题，30 秒").click()
    expect(panel.get_by_role("timer")).to_have_text(re.compile("还有 (29|30) 秒"))
    stage = panel.locator(".quiz-stage")
    assert not stage.get_by_role("button", name="不会").is_visible()
    stage.locator("summary").click()
    expect(panel.get_by_role("timer")).to_have_text(re.compile(r"用了 \d+ 秒"))
    name = stage.locator(".quiz").get_attribute("data-quiz")
    assert name is not None
    stage.get_by_role("button", name="不会").click()
    expect(stage.get_by_role("status")).to_have_text("这一轮还会再问。")
    assert Axe().run(page, options=VIOLATIONS).violations_count == 0
    assert marks(page)[name]["times"] == 0
    expect(panel).to_contain_text("答过 1 题，其中 1 题到了该再问的时候。")
    panel.get_by_role("button", name="抽一题，2 分钟").click()  # 不连着抽同一题
    expect(stage.locator(".quiz")).not_to_have_attribute("data-quiz", name)
    panel.get_by_role("button", name="抽一题，2 分钟").click()  # 该再问的先抽
    expect(stage.locator(".quiz")).to_have_attribute("data-quiz", name)
    stage.locator("summary").click()
    for days in "1 天后再问。", "6 天后再问。":
        stage.get_by_role("button", name="会", exact=True).click()
        expect(stage.get_by_role("status")).to_have_text(days)
    before = marks(page)
    with page.expect_download() as download:
        panel.get_by_role("button", name="导出记录").click()
    kept = tmp_path / "quiz.json"
    download.value.save_as(kept)
    panel.get_by_role("button", name="清除记录").click()
    assert marks(page) == {}
    chooser = page.locator("input[aria-label=导入记录]")
    chooser.set_input_files(kept)
    expect(panel).to_contain_text("导入了。")
    assert marks(page) == before
    kept.write_text('{"a": 1}')
    chooser.set_input_files(kept)
    expect(panel).to_contain_text("这个文件不是导出的记录，没有导入。")
    assert marks(page) == before


def test_the_editor_carries_its_licence(tmp_path: Path) -> None:
    text = editor(Cache(tmp_path))
    assert editor(Cache(tmp_path)) == text
    assert "Permission is hereby granted" in text.partition("*/")[0]
    assert "attachShadow" in text
