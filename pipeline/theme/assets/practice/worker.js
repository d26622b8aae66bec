// 运行读者的代码：一个线程，里面是 Pyodide；停不下来时，由网页整个结束它。
import { loadPyodide } from "./pyodide/pyodide.mjs"

const here = new URL(".", import.meta.url)
const GLUE = `
import json
from judge import judge

def start(source, name, code, tell):
    report = lambda kind, value: tell(json.dumps({"kind": kind, "value": value}))
    return json.dumps({"kind": "done", "value": judge(source, name, code, report)})
`

async function read(path) {
  const response = await fetch(new URL(path, here))
  if (!response.ok) throw Error(`${path}：${response.status}`)
  return response.text()
}

async function prepare() {
  const [python, judge, checking] = await Promise.all([
    loadPyodide({ indexURL: new URL("pyodide/", here).href }),
    read("judge.py"),
    read("exercises/checking.py"),
  ])
  const files = { "judge.py": judge, "snippets/exercises/checking.py": checking }
  python.FS.mkdirTree("snippets/exercises")
  for (const [path, text] of Object.entries(files)) python.FS.writeFile(path, text)
  python.runPython(GLUE)
  return python.globals.get("start")
}

const prepared = prepare()
prepared.then(
  () => postMessage({ kind: "ready" }),
  error => postMessage({ kind: "broken", value: String(error) }),
)
onmessage = async ({ data: { stem, name, code } }) => {
  try {
    const start = await prepared
    const source = await read(`exercises/${stem}.py`)
    postMessage({ kind: "started" })
    postMessage(JSON.parse(start(source, name, code, text => postMessage(JSON.parse(text)))))
  } catch (error) {
    postMessage({ kind: "broken", value: String(error).slice(0, 200) })
  }
}
