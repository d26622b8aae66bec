// 离线副本：把整个网站存进浏览器，此后都从这里给；读者按了按钮才有它。
// 版本与清单 offline.json 由构建写上：有一个文件变了，版本就变，浏览器就装新的一份。
const VERSION = ""
const PREFIX = `offline ${registration.scope} ` // 同一个域名上可能还有别的网站
const NAME = PREFIX + VERSION
const LIST = "offline.json"
const at = path => new URL(path, registration.scope).href

async function tell(message) {
  const windows = await clients.matchAll({ includeUncontrolled: true, type: "window" })
  for (const one of windows) one.postMessage(message)
}

/** 上一份里内容相同的文件，不必再取。 */
async function earlier() {
  const names = (await caches.keys()).filter(name => name.startsWith(PREFIX) && name !== NAME)
  for (const name of names) {
    const cache = await caches.open(name)
    const list = await cache.match(at(LIST))
    if (!list) continue // 没有存完的
    const { files } = await list.json()
    return (path, digest) => files[path] === digest ? cache.match(at(path)) : undefined
  }
  return () => undefined
}

/** 照清单取来每个文件，摘要都要对得上；清单最后存，有它就是存全了。 */
async function store() {
  const list = await fetch(at(LIST), { cache: "no-cache" })
  const { version, files } = await list.clone().json()
  if (version !== VERSION) throw Error("网站正在更新")
  const [cache, reuse] = [await caches.open(NAME), await earlier()]
  const entries = Object.entries(files)
  const all = entries.length
  const work = async () => {
    for (let entry; (entry = entries.pop()); ) {
      const [path, integrity] = entry
      if (!await cache.match(at(path))) {
        const kept = await reuse(path, integrity)
        const response = kept ?? await fetch(at(path), { integrity, cache: "no-cache" })
        if (!response.ok) throw Error(`${path}：${response.status}`)
        await cache.put(at(path), response)
      }
      tell({ done: all - entries.length, all })
    }
  }
  await Promise.all(Array.from({ length: 6 }, work))
  await cache.put(at(LIST), list)
}

async function answer(request) {
  const find = url => caches.match(url, { cacheName: NAME }) // 删掉了，也不再建
  const { origin, pathname } = new URL(request.url)
  const url = origin + pathname.replace(/\/index\.html$/, "/")
  const kept = await find(url)
  if (kept) return new Response(kept.body, kept) // 不带自己的网址：线程才看得见问号后面的
  if (await find(`${url}/`)) return Response.redirect(`${url}/`)
  try {
    return await fetch(request)
  } catch {
    const missing = request.mode === "navigate" && await find(at("404.html"))
    return missing || Response.error()
  }
}

addEventListener("install", event => event.waitUntil(store().catch(error => {
  tell({ failed: error.message })
  throw error
})))
addEventListener("activate", event => event.waitUntil((async () => {
  for (const name of await caches.keys()) {
    if (name.startsWith(PREFIX) && name !== NAME) await caches.delete(name)
  }
  await clients.claim()
})()))
addEventListener("message", ({ data }) => data === "replace" && skipWaiting())
addEventListener("fetch", event => {
  const { method, url } = event.request
  if (method === "GET" && url.startsWith(registration.scope)) event.respondWith(answer(event.request))
})
