// 离线副本的按钮：存、删；有了新版本就说一声。存的事由 sw.js 做，不按就没有它。
{
  const root = new URL("../..", document.currentScript.src)
  const service = navigator.serviceWorker
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag)
    for (const [name, value] of Object.entries(attributes)) {
      if (name === "onclick") element.addEventListener("click", value)
      else element.setAttribute(name, value)
    }
    element.append(...children)
    return element
  }
  const button = (text, onclick) => make("button", { type: "button", class: "offline-button", onclick }, text)
  const told = make("span", { role: "status" })
  let saving = false
  let failed = ""

  const show = (text, ...buttons) => {
    told.textContent = text
    document.querySelector(".offline")?.replaceChildren(told, ...buttons)
  }

  async function offer() {
    const { size } = await (await fetch(new URL("offline.json", root))).json()
    show("没有网络也要读？整个网站可以存在这个浏览器里：", button(`存一份离线的（${Math.ceil(size / 1e6)} MB）`, save))
  }

  async function save() {
    show("正在存……")
    saving = true
    failed = ""
    follow(await service.register(new URL("sw.js", root), { scope: root.pathname, updateViaCache: "none" }))
  }

  async function remove() {
    await (await service.getRegistration(root.href))?.unregister()
    for (const name of await caches.keys()) {
      if (name.startsWith(`offline ${root.href} `)) await caches.delete(name)
    }
    show("离线的一份删掉了。")
    await offer().catch(() => {}) // 没有网络，就存不了
  }

  const stored = () => show("离线的一份已经存好，没有网络也能读、能搜、能做题。", button("删除离线副本", remove))

  /** 新版本装好了，等读者愿意才换上。 */
  function announce(worker) {
    const refresh = () => {
      service.addEventListener("controllerchange", () => location.reload())
      worker.postMessage("replace")
    }
    document.querySelector(".offline-news")?.remove()
    document.body.append(make("div", { class: "offline-news", role: "status" }, "有新版本。", button("刷新", refresh)))
  }

  /** 第一份存好了、没有存成，或新的一份装好了，各说一声。 */
  function watch({ installing, active }) {
    installing?.addEventListener("statechange", () => {
      const state = installing.state
      if (active) return state === "installed" && announce(installing)
      if (state !== "activated" && state !== "redundant") return
      saving = false
      if (state === "activated") stored()
      else show(`没有存成（${failed}）。`, button("再试一次", save))
    })
  }

  function follow(registration) {
    watch(registration)
    registration.onupdatefound = () => watch(registration)
    if (registration.waiting) announce(registration.waiting)
  }

  const setUp = async () => {
    const registration = await service.getRegistration(root.href)
    if (!document.querySelector(".offline")) return
    if (registration?.active) stored()
    else if (registration?.installing) saving = true
    else await offer()
  }

  if (service) {
    service.addEventListener("message", ({ data: { done, all, failed: reason } }) => {
      if (reason) failed = reason
      else if (saving) show(`正在存：${done} / ${all} 个文件`)
    })
    service.getRegistration(root.href).then(registration => {
      if (!registration) return
      follow(registration)
      registration.update().catch(() => {}) // 没有网络，下次再看
    })
    document$.subscribe(setUp)
  }
}
