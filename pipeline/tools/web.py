"""像静态主机那样提供建成的网站，用真的浏览器打开它。

网址是 `http://site.localhost/qa/`，在浏览器里指到本机的一个端口；别的主机都找不到。
"""

import asyncio
import os
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Error, sync_playwright
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, StaticFileHandler

BROWSERS = ["chromium", "chromium-browser", "google-chrome", "chrome"]
FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",
]


class NoBrowser(Exception):
    """没有浏览器。"""


class _Handler(StaticFileHandler):
    def write_error(self, status_code: int, **_: object) -> None:
        page = Path(self.root, "404.html")
        self.finish(page.read_bytes() if status_code == 404 else b"")

    def log_exception(self, *_: object) -> None:
        """没有的网址不是测试的错误。"""


@contextmanager
def serve(folder: Path) -> Iterator[int]:
    """在本机的一个空闲端口上提供 `folder`，给出端口。"""
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, int]] = Future()

    async def run() -> None:
        options = {"path": folder, "default_filename": "index.html"}
        routes = [(r"/qa/(.*)", _Handler, options)]
        (socket,) = bind_sockets(0, "127.0.0.1")
        server = HTTPServer(
            Application(routes, compress_response=True, log_function=lambda _: None)
        )
        server.add_socket(socket)
        stop = asyncio.Event()
        started.set_result((asyncio.get_running_loop(), stop, socket.getsockname()[1]))
        await stop.wait()
        server.stop()
        await server.close_all_connections()

    thread = threading.Thread(target=asyncio.run, args=[run()])
    thread.start()
    loop, stop, port = started.result(timeout=10)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


def find_browser() -> str | None:
    """浏览器的路径；没有则为 None，Playwright 会用它自己装的。"""
    found = map(shutil.which, [os.environ.get("BROWSER_PATH", ""), *BROWSERS])
    return next(filter(None, found), None)


def host_rules(port: int) -> str:
    """浏览器的一个选项：`SITE_URL` 在本机的 `port`，别的主机都找不到。"""
    rules = f"MAP site.localhost 127.0.0.1:{port},MAP * ~NOTFOUND,EXCLUDE 127.0.0.1"
    return f"--host-resolver-rules={rules}"


@contextmanager
def open_browser(folder: Path) -> Iterator[Browser]:
    """打开浏览器，`SITE_URL` 就是 `folder` 里的网站。

    Raises:
        NoBrowser: 没有浏览器。
    """
    with serve(folder) as port, sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=find_browser(), args=[*FLAGS, host_rules(port)]
            )
        except Error as error:
            raise NoBrowser(
                "没有浏览器：请用系统的包管理器装 chromium，"
                "或运行 .venv/bin/playwright install chromium"
            ) from error
        yield browser
        browser.close()
