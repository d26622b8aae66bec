// 手撕、自测、离线副本的程序：读者快读到了才取。从磁盘打开时也行，所以不用模块。
{
  const folder = new URL(".", document.currentScript.src)
  const loaded = new Set()
  const load = name => {
    if (loaded.has(name)) return
    loaded.add(name)
    const script = document.createElement("script")
    script.src = new URL(`${name}.js`, folder)
    document.head.append(script)
  }
  const watch = () => {
    for (const name of ["exercise", "quiz", "offline"]) {
      const observer = new IntersectionObserver((seen, watching) => {
        if (!seen.some(one => one.isIntersecting)) return
        watching.disconnect()
        load(name)
      }, { rootMargin: "50%" })
      // 每一个都看着：链接可能直接通向后面的一题
      document.querySelectorAll(`.${name}`).forEach(one => observer.observe(one))
    }
  }
  if (navigator.serviceWorker?.controller) load("offline") // 读的是离线副本：看看有没有新的
  // 从磁盘打开时 document$ 不响，好在每次都是重新加载
  if (location.protocol === "file:") watch()
  else document$.subscribe(watch)
}
