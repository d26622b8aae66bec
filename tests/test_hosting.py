"""pipeline/tools/nginx.conf：真的 nginx 照它提供网站。"""

import gzip
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from pipeline.tools.project import ROOT
from pipeline.tools.reader import DESKTOP, Reader

CONFIG = ROOT / "pipeline" / "tools" / "nginx.conf"
MAIN = """\
daemon off;
master_process off;
pid nginx.pid;
events {}
http {
    access_log off;
    client_body_temp_path temp;
    fastcgi_temp_path temp;
    proxy_temp_path temp;
    scgi_temp_path temp;
    uwsgi_temp_path temp;
    include site.conf;
}
"""
SLOW = 60_000  # 毫秒；取 Python


@pytest.fixture(scope="module")
def port(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """照仓库里的配置提供整个网站，只改了端口和文件夹；CI 里没有 nginx 是错误，别处就跳过。"""
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if nginx is None:
        told = "没有 nginx：请用系统的包管理器装，如 apt-get install nginx-light"
        assert not os.environ.get("CI"), told
        pytest.skip(told)
    folder = tmp_path_factory.mktemp("nginx")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = int(probe.getsockname()[1])
    text = CONFIG.read_text(encoding="utf-8")
    text = text.replace("listen 80;", f"listen 127.0.0.1:{number};")
    text = text.replace("root /srv/deep-learning-qa;", f"root {site};")
    (folder / "site.conf").write_text(text, encoding="utf-8")
    # 只有 root 才要换用户；CI 的用户命名空间里只有 root
    user = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(user + MAIN, encoding="utf-8")
    (folder / "mime.types").symlink_to("/etc/nginx/mime.types")
    command = [nginx, "-e", "stderr", "-p", str(folder), "-c", "nginx.conf"]
    checked = subprocess.run(
        [*command, "-t", "-q"], capture_output=True, encoding="utf-8", check=False
    )
    assert (checked.returncode, checked.stderr) == (0, ""), checked.stderr
    server = subprocess.Popen(command)
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", number)) == 0:
                    break
            time.sleep(0.05)
        yield number
    finally:
        server.terminate()
        server.wait()


def get(port: int, path: str, **headers: str) -> tuple[HTTPResponse, bytes]:
    """取一个网址，给出响应和它的内容。"""
    connection = HTTPConnection("127.0.0.1", port)
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, body


def test_a_page_is_fresh_compressed_and_may_not_be_framed(
    port: int, site: Path
) -> None:
    page, body = get(port, "/weight_init/", **{"Accept-Encoding": "gzip"})
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in page.headers["Vary"]
    assert gzip.decompress(body) == (site / "weight_init/index.html").read_bytes()
    assert page.headers["Cache-Control"] == "no-cache"
    sent = (site / "_headers").read_text(encoding="utf-8")
    for line in sent.splitlines()[1:]:
        name, _, value = line.strip().partition(": ")
        if name == "Content-Security-Policy":
            value = value.rpartition("; ")[2]  # 其余的在网页的 meta 里
        assert page.headers[name] == value
    same, body = get(port, "/weight_init/", **{"If-None-Match": page.headers["ETag"]})
    assert (same.status, body) == (304, b"")


def test_a_missing_page_and_a_missing_slash(port: int) -> None:
    missing, body = get(port, "/no/such/")
    assert missing.status == 404
    assert "找不到这一页" in body.decode()
    assert missing.headers["X-Content-Type-Options"] == "nosniff"
    assert get(port, "/_headers")[0].status == 404
    moved, _ = get(port, "/weight_init")
    assert (moved.status, moved.headers["Location"]) == (301, "/weight_init/")


def test_types_and_how_long_things_are_kept(port: int, site: Path) -> None:
    hashed = next((site / "assets" / "javascripts").glob("bundle.*.min.js"))
    year, month = "max-age=31536000, immutable", "max-age=2592000"
    pyodide = "assets/practice/pyodide"
    for path, kind, caching in (
        (hashed.relative_to(site).as_posix(), "javascript; charset=utf-8", year),
        (f"{pyodide}/pyodide.mjs", "text/javascript; charset=utf-8", month),
        (f"{pyodide}/pyodide.asm.wasm", "application/wasm", month),
        ("assets/site.css", "text/css; charset=utf-8", "no-cache"),
        ("assets/figures/pipeline.svg", "image/svg+xml", "no-cache"),
        ("search/documents.json", "application/json; charset=utf-8", "no-cache"),
        ("notebooks/weight_init.ipynb", "application/x-ipynb+json", "no-cache"),
    ):
        response, body = get(port, f"/{path}", **{"Accept-Encoding": "gzip"})
        assert response.status == 200, path
        assert response.headers["Content-Type"].endswith(kind), path
        assert response.headers["Cache-Control"] == caching, path
        assert response.headers["Content-Encoding"] == "gzip", path
        assert gzip.decompress(body) == (site / path).read_bytes(), path


def test_the_worker_may_run_webassembly_and_the_page_may_not(
    port: int, browser: Browser
) -> None:
    """线程照响应头运行 Python；网页照 meta，不许；控制台上没有错误。"""
    response, _ = get(port, "/assets/practice/worker.js")
    policy = response.headers["Content-Security-Policy"]
    assert re.search(r"script-src 'self' 'wasm-unsafe-eval';", policy)
    reader = Reader(browser, **DESKTOP)
    page = reader.page
    page.goto(f"http://127.0.0.1:{port}/practice/temporal_conv/")
    box = page.locator(".exercise").first
    box.locator(".cm-content").focus()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text("def receptive_field(k, n):\n    return 0\n")
    box.get_by_role("button", name="运行").click()
    expect(box.locator(".exercise-status")).to_contain_text("项没过", timeout=SLOW)
    assert reader.troubles == []
    compile_one = "WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]))"
    told = page.evaluate(f"{compile_one}.then(() => '', error => error.message)")
    assert "Content Security Policy" in told
    reader.context.close()
