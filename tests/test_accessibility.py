"""无障碍：axe-core 在明暗两色、桌面与手机上都查不出问题。"""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.test_browser import DESKTOP, PHONE, url
from tests.test_site import PAGES


@pytest.mark.parametrize("device", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", [*PAGES, "404"])
def test_axe(browser: Browser, page: str, scheme: str, device: dict[str, Any]) -> None:
    context = browser.new_context(**device | {"color_scheme": scheme})
    window = context.new_page()
    window.goto(url(page))
    results = Axe().run(window)
    context.close()
    assert results.violations_count == 0, results.generate_report()
