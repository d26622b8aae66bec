"""把建成的网站印成一份 PDF：`make pdf`，要先建好网站。

各页照导航的先后接成一份文档，一次印完：页码连着，书签是各级标题，页与页之间的链接在
PDF 里也通。追问、答案、证据都打开；测量用的代码仍然收着，笔记本里有。
"""

import re
import sys
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, PdfMargins

from pipeline.tools.addresses import SITE_URL, page_path, url
from pipeline.tools.project import CONFIG, PAGES, PRACTICE, ROOT
from pipeline.tools.web import NoBrowser, open_browser

PDF = ROOT / "deep-learning-qa.pdf"
# 各页的正文接成一篇：id 前面加上页的名字，站内的链接改指到篇里
JOIN = """async pages => {
  const named = ([page, address]) => [new URL(address).pathname, page]
  const names = new Map(pages.map(named))
  const whole = []
  for (const [name, address] of pages) {
    const text = await (await fetch(address)).text()
    const article = new DOMParser().parseFromString(text, "text/html")
      .querySelector("article")
    const own = id => `${name}--${id}`
    const lead = link => {
      const { origin, pathname, hash } = new URL(link, address)
      const page = names.get(pathname)
      if (page) return `#${page}${hash && "--"}${decodeURIComponent(hash.slice(1))}`
      return origin === location.origin ? null : link
    }
    const rewrite = {
      "id": own,
      "for": own,
      "aria-labelledby": own,
      "href": lead,
      "xlink:href": lead,
      "src": link => new URL(link, address).href,
    }
    for (const element of article.querySelectorAll("*")) {
      for (const { name: key, value } of [...element.attributes]) {
        const change = rewrite[key] ?? (v => v.replaceAll("url(#", `url(#${name}--`))
        const changed = change(value)
        if (changed === null) element.removeAttribute(key)
        else if (changed !== value) element.setAttribute(key, changed)
      }
    }
    article.id = name
    whole.push(article)
  }
  document.querySelector("article").replaceWith(...whole)
}"""
STYLE = """
article + article { break-before: page; }
.md-typeset .take-away, .md-typeset .cell > details::details-content,
.cell:has(> .output:is(:empty, :has(figure))) > details { display: none !important; }
body { page: auto !important; }
article:has(> .cheatsheet) { page: cheatsheet; }
/* 速记的两页没有标题，书签要有 */
article:has(> .cheatsheet) > h1 {
  display: block !important; margin: 0;
  font-size: 1px; line-height: 1px; color: transparent;
}
"""
FOOTER = """
<div style="width: 100%; font: 8px sans-serif; color: #555; text-align: center">
  <span class="pageNumber"></span>
</div>"""
# 书签的一个标题；排在一页最上面的，Chromium 写了两遍
TWICE = re.compile(rb"(?<=/Title <FEFF)((?:[0-9A-F]{4})+)\1(?=>)")
MARGIN: PdfMargins = {
    "top": "16mm",
    "bottom": "18mm",
    "left": "15mm",
    "right": "15mm",
}


def list_pages() -> list[str]:
    """要印的页，照导航的先后；各题的手撕题排在它们的目录后面。"""
    practice = [page.page.removesuffix(".md") for page in PRACTICE]
    pages = [page for page in PAGES if page not in practice]
    at = pages.index("practice") + 1
    return [*pages[:at], *practice, *pages[at:]]


def join_pages(context: BrowserContext, pages: list[str]) -> Page:
    """打开一个窗口，把几页接成一篇；网页自己的脚本不运行。

    Args:
        context: 打开了网站的浏览器的一个窗口，不管网页的内容策略。
        pages: 页的名字，照先后。
    """
    context.route("**/*.js", lambda route: route.abort())
    page = context.new_page()
    page.goto(SITE_URL)
    page.evaluate(JOIN, [[name.replace("/", "-"), url(name)] for name in pages])
    page.add_style_tag(content=STYLE)
    page.evaluate("title => { document.title = title }", CONFIG["site_name"])
    page.evaluate("document.fonts.ready.then(() => {})")
    return page


def print_pages(browser: Browser, pages: list[str], path: Path) -> None:
    """把几页接成一份，印成 PDF。

    Args:
        browser: 打开了网站的浏览器。
        pages: 页的名字，照先后。
        path: PDF 写在哪里。
    """
    context = browser.new_context(bypass_csp=True)
    printed = join_pages(context, pages).pdf(
        format="A4",
        margin=MARGIN,
        display_header_footer=True,
        header_template="<span></span>",
        footer_template=FOOTER,
        outline=True,
        tagged=True,
        prefer_css_page_size=True,
    )
    context.close()
    # 换成一样长的：PDF 里的位置是按字节数的，十六进制里的空格不算
    once = TWICE.sub(lambda match: match[1].ljust(len(match[0])), printed)
    path.write_bytes(once)


def main(site: Path = ROOT / "site", path: Path = PDF) -> str:
    """印出整个网站；印不了就说为什么。

    Args:
        site: 建成的网站。
        path: PDF 写在哪里。

    Returns:
        出了什么错，没有则为空。
    """
    pages = list_pages()
    if missing := [page for page in pages if not page_path(site, page).is_file()]:
        return f"{site} 里没有 {missing[0]} 这一页：请先运行 make build"
    try:
        with open_browser(site) as browser:
            print_pages(browser, pages, path)
    except NoBrowser as error:
        return str(error)
    print(f"{path}：{path.stat().st_size / 1e6:.1f} MB")
    return ""


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])) or 0)
