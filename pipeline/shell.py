"""网页的外壳：模板、内容安全策略、从磁盘打开时的搜索、各页的日期。"""

import base64
import errno
import hashlib
import re
import socket
import subprocess
from pathlib import Path

from jinja2 import BytecodeCache, Environment
from jinja2.bccache import Bucket
from jinja2.ext import Extension

from pipeline.cache import Cache
from pipeline.faults import SetupError

NODE_MODULES = Path(__file__).parent / "node_modules"
SCRIPTS = ["base", "palette", "content"]  # 模板里写在网页中的脚本
SHIM = "assets/javascripts/iframe-worker.js"


class Templates(BytecodeCache):
    """编译过的模板不再编译：四十来个，要一秒。

    Args:
        cache: 放在哪里。
    """

    def __init__(self, cache: Cache) -> None:
        self.cache = cache

    def load_bytecode(self, bucket: Bucket) -> None:
        """取出编译过的；没有，或模板变了，就什么也不做。"""
        code = self.cache.load(f"templates/{bucket.key}", bucket.checksum)
        if code is not None:
            bucket.bytecode_from_string(base64.b64decode(code))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """记下刚刚编译的。"""
        code = base64.b64encode(bucket.bytecode_to_string()).decode()
        self.cache.save(f"templates/{bucket.key}", bucket.checksum, code)


class Unindented(Extension):
    r"""网页里不留模板的缩进：一页少 5 KB，压缩后 0.4 KB。

    Example:
        >>> env = Environment(extensions=[Unindented])
        >>> env.from_string("<p>\n    {{ 1 + 1 }}\n</p>").render()
        '<p>\n2\n</p>'
    """

    def preprocess(self, source: str, *_: str | None) -> str:
        """去掉每行开头的空白；行数不变，报错的行号才对得上。"""
        return re.sub(r"^[ \t]+", "", source, flags=re.M)


def security_policy(env: Environment, *, offline: bool) -> str:
    """内容安全策略：不许向外站要任何东西，网页里的脚本只许模板写的这几段。

    Args:
        env: 主题的模板，已设好 `config`。
        offline: 网站是否从磁盘打开；那时搜索要在 iframe 里运行脚本。
    """
    scripts = ["'self'"]
    if offline:
        scripts.append("'unsafe-inline'")
    else:
        for name in SCRIPTS:
            text = env.get_template(f"partials/javascripts/{name}.html").render()
            for script in re.findall(r"<script>(.*?)</script>", text, re.S):
                digest = hashlib.sha256(script.encode()).digest()
                scripts.append(f"'sha256-{base64.b64encode(digest).decode()}'")
    rules = {
        "default-src": "'self'",  # Firefox 会预取下一页，也归它管
        "script-src": " ".join(scripts),
        "style-src-attr": "'unsafe-inline'",  # KaTeX 用 style 属性定位
        "img-src": "'self' data:",  # Material 的图标是 data:
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
    }
    return "; ".join(f"{rule} {value}" for rule, value in rules.items())


def headers(policy: str) -> str:
    """静态主机的响应头，`_headers` 的格式；meta 标签里写不了的也在这里。

    运行手撕题的线程归响应头管，不归网页的 meta 管：只有这里许可 WebAssembly，
    网页两样都归，仍然不许。
    """
    policy = policy.replace("script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'")
    return (
        "/*\n"
        f"  Content-Security-Policy: {policy}; frame-ancestors 'none'\n"
        "  Referrer-Policy: strict-origin-when-cross-origin\n"
        "  X-Content-Type-Options: nosniff\n"
    )


def worker_shim() -> str:
    """从磁盘打开网页时代替 Worker 的脚本，连同它的许可证。"""
    package = NODE_MODULES / "iframe-worker"
    licence = (package / "LICENSE").read_text(encoding="utf-8")
    script = (package / "shim" / "index.js").read_text(encoding="utf-8")
    return f"/*\n{licence}*/\n{script}"


def _git(root: Path, *arguments: str) -> str:
    """git 的输出；没有 git 或不是仓库，就是空的。"""
    command = ["git", "-c", "core.quotePath=off", *arguments]
    try:
        return subprocess.run(
            command, cwd=root, capture_output=True, encoding="utf-8", check=False
        ).stdout.strip()
    except OSError:
        return ""


def commit_time(root: Path) -> str:
    """最近一次提交的时刻，自 1970 年的秒数；不知道则为空。"""
    return _git(root, "log", "-1", "--format=%ct")


def version(root: Path) -> tuple[str, str]:
    """最近一次提交的编号与日期；不是仓库，都为空。"""
    commit, _, date = _git(root, "log", "-1", "--format=%h %cs").partition(" ")
    return commit, date


def last_changes(docs: Path) -> dict[str, str]:
    """各文件最近一次提交的日期。

    Args:
        docs: 页面的文件夹。

    Returns:
        相对 `docs` 的路径到 `YYYY-MM-DD`；没有提交过的文件不在其中。
    """
    log = _git(docs, "log", "--format=%x00%cs", "--name-only", "--relative", "--", ".")
    dates: dict[str, str] = {}
    for entry in log.split("\0")[1:]:
        date, _, paths = entry.partition("\n")
        for path in filter(None, paths.split("\n")):
            dates.setdefault(path, date)
    return dates


def check_port(host: str, port: int) -> None:
    """确认预览的端口空着；不然建好了全部页面才知道。

    Args:
        host: 本机的地址。
        port: 端口。

    Raises:
        SetupError: 端口已被占用。
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise SetupError(
                f"端口 {port} 已被占用：请关掉占用它的程序，"
                f"或换一个，如 mkdocs serve -a {host}:{port + 1}"
            ) from error
