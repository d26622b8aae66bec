"""画分享到社交网站时的卡片 docs/assets/card.png：`make card`。

要有中文字体；画的是一个残差块和网站的名字。
"""

from pathlib import Path

from PIL import Image

from pipeline.tools.project import CONFIG, ROOT
from pipeline.tools.web import open_browser

CARD = ROOT / "docs" / "assets" / "card.png"
PAGE = """\
<!doctype html>
<html lang="zh">
<style>
  body {{ margin: 0; padding: 90px; box-sizing: border-box; height: 630px; color: #fff;
    background: #303f9f; font-family: "Noto Sans CJK SC", "PingFang SC", sans-serif;
    display: flex; justify-content: space-between; }}
  h1 {{ font-size: 96px; margin: 40px 0 0; }}
  p {{ font-size: 38px; line-height: 1.7; margin: 36px 0 0; white-space: pre-line; }}
  svg {{ width: 240px; overflow: visible; }}
  path, rect, circle {{ fill: none; stroke: #fff; stroke-width: 6; }}
  text {{ fill: #fff; font: 32px sans-serif; text-anchor: middle; }}
  .shortcut {{ stroke: #ffc947; }}
</style>
<div><h1>{name}</h1><p>{lines}</p></div>
<svg viewBox="0 0 240 450">
  <path d="M80 0V90M80 170V210M80 290V332M80 388V450" />
  <path class="shortcut" d="M80 40H220V360H112" />
  <rect x="0" y="90" width="160" height="80" rx="12" />
  <text x="80" y="144">W₁, ReLU</text>
  <rect x="0" y="210" width="160" height="80" rx="12" />
  <text x="80" y="264">W₂</text>
  <circle cx="80" cy="360" r="28" /><path d="M64 360H96M80 344V376" />
</svg>
</html>
"""


def main() -> None:
    """画卡片，减到 64 色。"""
    lines = CONFIG["site_description"].replace("：", "\n").replace("，", "\n")
    with open_browser(ROOT) as browser:
        page = browser.new_page(viewport={"width": 1200, "height": 630})
        page.set_content(PAGE.format(name=CONFIG["site_name"], lines=lines))
        page.screenshot(path=CARD)
    Image.open(CARD).quantize(64).save(CARD, optimize=True)
    print(f"{CARD.relative_to(ROOT)}：{Path(CARD).stat().st_size} 字节")


if __name__ == "__main__":
    main()
