// Material 要等松开一个键才搜；用鼠标粘贴、用语音输入的字，也要马上搜。
addEventListener("input", ({ target }) => {
  if (target.matches("[data-md-component=search-query]")) target.dispatchEvent(new Event("keyup"))
})

// 到网址指着的地方去；在折叠框里，就打开它。
const place = () => document.getElementById(decodeURIComponent(location.hash.slice(1)))
function reveal() {
  for (let e = place()?.closest("details"); e; e = e.parentElement.closest("details")) e.open = true
  place()?.scrollIntoView()
}

// 手机上，搜索的面板 0.1 秒后才收起，先前页面动不了：Material 打开了框，却滚不到那里。
addEventListener("click", ({ target }) => {
  if (target.closest(".md-search-result__link")) setTimeout(reveal, 300)
})

// Material 打开了框，却停在框首；从磁盘打开时不打开，document$ 也不响，好在每次都是重新加载。
const land = () => requestAnimationFrame(() => place()?.closest("details") && reveal())
if (location.protocol === "file:") land()
else document$.subscribe(land)
addEventListener("hashchange", land)
