// 替 Material 的搜索程序守门：读者真的输入了，才取它和索引。
// 网址的问号后面是 Material 的搜索程序；消息的种类：0 建索引，1 建好了，2 查询，3 结果。
let setup
let loading

async function load() {
  const response = await fetch("../../../search/documents.json")
  const { config, docs } = await response.json()
  importScripts(location.search.slice(1))
  removeEventListener("message", gate)
  send({ type: 0, data: { ...setup.data, config, docs } })
  await new Promise(setTimeout) // 索引在这一轮的微任务里建好
}

function send(data) {
  dispatchEvent(new MessageEvent("message", { data }))
}

async function gate(event) {
  event.stopImmediatePropagation()
  const message = event.data
  if (message.type === 0) {
    setup = message
    postMessage({ type: 1 })
  } else if (message.data || loading) {
    loading ??= load()
    await loading.catch(() => (loading = undefined)) // 没有取到，下次输入时再取
    if (loading) send(message)
  } else {
    postMessage({ type: 3, data: { items: [] } })
  }
}

addEventListener("message", gate)
