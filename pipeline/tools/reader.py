"""浏览器里的一个读者：窗口有多大，看到了什么，请求了什么。"""

from typing import Any

from playwright.sync_api import Browser, Page

DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 740},
    "has_touch": True,
    "is_mobile": True,
}
VIOLATIONS = {"resultTypes": ["violations"]}  # axe 只细列有问题的，快一倍


class Reader:
    """一个读者：开着一个窗口，记下浏览器报告的错误和发出的请求。

    Args:
        browser: 浏览器。
        options: 窗口的选项，如 `DESKTOP`。
    """

    def __init__(self, browser: Browser, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.troubles: list[str] = []
        self.requests: list[str] = []
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("console", self._listen)
        self.context.on("request", lambda request: self.requests.append(request.url))

    def _listen(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.troubles.append(message.text)


def lay_out(page: Page) -> None:
    """这就排好版，颜色不再变化，才好逐个检查。

    Args:
        page: 打开的页。
    """
    script = """() => {
      document.body.offsetTop  // 不等下一帧
      const running = document.getAnimations().filter(a => a instanceof CSSTransition)
      running.forEach(a => a.finish())
    }"""
    page.evaluate(script)


def moved(page: Page) -> float:
    """版面移动的总量 CLS。

    Args:
        page: 打开的页。
    """
    script = """() => new Promise(resolve => {
      let total = 0
      new PerformanceObserver(list => {
        for (const entry of list.getEntries()) total += entry.value
      }).observe({type: "layout-shift", buffered: true})
      setTimeout(() => resolve(total), 300)
    })"""
    return float(page.evaluate(script))
