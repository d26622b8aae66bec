// Material 要等松开一个键才搜；用鼠标粘贴、用语音输入的字，也要马上搜。
addEventListener("input", ({ target }) => {
  if (target.matches("[data-md-component=search-query]")) {
    target.dispatchEvent(new Event("keyup"))
  }
})
