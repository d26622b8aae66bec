"""无障碍：axe-core 查不出问题。

两种窗口、两种颜色各查一次；API 参考的各页同一个样子，查一页。全部的页和组合见 `make audit`。
"""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from pipeline.tools.addresses import url
from pipeline.tools.project import PAGES
from pipeline.tools.reader import DESKTOP, PHONE, VIOLATIONS, lay_out

API = [page for page in PAGES if page.startswith("reference/")]
CHECKED = [page for page in PAGES if page not in API[1:]]


@pytest.mark.parametrize(
    "window",
    [DESKTOP | {"color_scheme": "light"}, PHONE | {"color_scheme": "dark"}],
    ids=["light-desktop", "dark-phone"],
)
@pytest.mark.parametrize("page", [*CHECKED, "404"])
def test_axe(browser: Browser, page: str, window: dict[str, Any]) -> None:
    context = browser.new_context(**window)
    tab = context.new_page()
    tab.goto(url(page))
    lay_out(tab)
    results = Axe().run(tab, options=VIOLATIONS)
    context.close()
    assert results.violations_count == 0, results.generate_report()
