// 手撕题：在框里写，交给线程运行，逐个说测试过没过。写的留在这个浏览器里。
{
  const folder = new URL(".", document.currentScript.src)
  const FETCH = 120_000 // 毫秒；取 Python 至多等这么久
  const GRACE = 8000 // 判题的程序自己 5 秒就停，这里管它停不下的
  let worker // 线程，各题共用
  let warm = false // Python 取来了没有
  let current // 正在运行的一题

  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag)
    for (const [name, value] of Object.entries(attributes)) {
      if (name === "onclick") element.addEventListener("click", value)
      else element.setAttribute(name, value)
    }
    element.append(...children)
    return element
  }

  /** 备好线程；上一个结束了就换一个。 */
  function start() {
    worker ??= new Worker(new URL("worker.js", folder), { type: "module" })
    worker.onmessage = ({ data }) => {
      if (data.kind === "ready") warm = true
      current?.hear(data)
    }
    worker.onerror = event => current?.hear({ kind: "broken", value: event.message ?? "" })
  }

  function stop() {
    worker?.terminate()
    worker = undefined
    if (warm) start() // 先备好下一个，再按运行就不用等
  }

  class Box {
    constructor(element) {
      this.element = element
      ;[this.stem, this.name] = element.dataset.exercise.split(":")
      this.key = `exercise.${element.dataset.exercise}`
      this.code = element.querySelector(".highlight")
      this.stub = this.code.querySelector("code").textContent
      this.hints = [...element.querySelectorAll("details")]
      this.answer = this.hints.pop()
      this.status = make("p", { class: "exercise-status", role: "status" })
      this.results = make("ol", { class: "exercise-results" })
      this.printed = make("pre", { class: "exercise-printed", tabindex: 0, hidden: "" })
      const button = (text, onclick) => make("button", { type: "button", class: "exercise-button", onclick }, text)
      this.run = button("运行", () => this.press())
      this.halt = button("停止", () => this.stopped("停下了"))
      this.halt.disabled = true
      this.tools = make("div", { class: "exercise-tools" },
        this.run, this.halt,
        button("重来", () => this.reset()),
        button("提示", () => this.hint()),
        button("答案", () => this.unfold(this.answer)),
        button("导出", () => this.export()))
      const keys = make("p", { class: "exercise-keys" },
        "Ctrl-Enter 运行；Ctrl-] 缩进，Ctrl-[ 退回；Tab 离开编辑框。写的留在这个浏览器里，「重来」就清掉。")
      this.code.after(this.tools, this.status, this.results, this.printed, keys)
      this.open().catch(() => { this.status.textContent = "编辑器没有取到，请重新打开这一页。" })
    }

    /** 代码换成编辑器；上次写了一半的接着写。 */
    async open() {
      const { edit } = await import(new URL("editor.js", folder))
      const host = make("div", { class: "exercise-editor" })
      this.editor = edit(host, {
        text: __md_get(this.key) ?? this.stub,
        label: `写 ${this.name} 的代码，按 Tab 离开`,
        change: text => __md_set(this.key, text),
        run: () => this.press(),
      })
      this.code.replaceWith(host)
    }

    press() {
      if (!this.editor || this.run.disabled) return
      if (current) current.stopped("换到别的题了，停下了")
      current = this
      this.line = 0
      this.results.replaceChildren()
      this.printed.hidden = true
      this.mark("")
      this.run.disabled = true
      this.halt.disabled = false
      this.status.textContent = warm ? "正在运行……" : "正在取 Python，约 6.4 MB，只有第一次要等……"
      this.timer = setTimeout(() => this.stopped("Python 没有取来，请再按一次运行"), FETCH)
      start()
      worker.postMessage({ stem: this.stem, name: this.name, code: this.editor.text })
    }

    hear({ kind, value }) {
      if (kind === "started") {
        this.status.textContent = "正在运行……"
        clearTimeout(this.timer)
        this.timer = setTimeout(() => this.stopped("运行太久，停下了"), GRACE)
      } else if (kind === "line") this.line = value
      else if (kind === "test") this.show(value)
      else if (kind === "done") this.finish(value)
      else if (kind === "broken") {
        stop()
        this.end(`Python 停了，再按一次运行：${value}`, "stopped")
      }
    }

    show({ title, passed, message }) {
      const head = make("b", {}, `${passed ? "✓ 过" : "✗ 没过"}　${title}`)
      const item = make("li", { class: passed ? "passed" : "failed" }, head)
      if (message) item.append(make("span", {}, message))
      this.results.append(item)
    }

    finish({ error, tests, printed }) {
      const passed = tests.filter(test => test.passed).length
      if (printed) {
        this.printed.textContent = `你印出的：\n${printed}`
        this.printed.hidden = false
      }
      if (error) this.end(error, "stopped")
      else if (passed === tests.length) this.end(`全部通过：${passed} 项测试。`, "passed")
      else this.end(`${tests.length} 项测试，${tests.length - passed} 项没过。`, "failed")
    }

    stopped(reason) {
      stop()
      this.end(`${reason}${this.line ? `，停在第 ${this.line} 行` : ""}。`, "stopped")
    }

    end(text, state) {
      clearTimeout(this.timer)
      this.status.textContent = text
      this.mark(state)
      this.run.disabled = false
      this.halt.disabled = true
      if (current === this) current = undefined
    }

    mark(state) { this.status.dataset.state = state }

    reset() {
      if (!this.editor) return
      this.editor.text = this.stub // 可以用 Ctrl-Z 取回
      __md_set(this.key, null)
      this.editor.focus()
    }

    hint() { this.unfold(this.hints.find(hint => !hint.open) ?? this.hints.at(-1)) }

    unfold(box) {
      box.open = true
      box.querySelector("summary").focus()
    }

    export() {
      const url = URL.createObjectURL(new Blob([this.editor?.text ?? this.stub]))
      make("a", { href: url, download: `${this.name}.py` }).click()
      URL.revokeObjectURL(url)
    }
  }

  const setUp = () => {
    current?.stopped("换页了")
    for (const element of document.querySelectorAll(".exercise:not([data-ready])")) {
      element.dataset.ready = ""
      if (location.protocol === "file:") {
        const why = "从磁盘打开的网页，浏览器不许它运行别的文件，所以这里只能看题、提示和答案；要运行，请打开网上的这一页。"
        element.querySelector(".highlight").after(make("p", { class: "exercise-status" }, why))
      } else new Box(element)
    }
  }
  if (location.protocol === "file:") setUp() // 那里 document$ 不响
  else document$.subscribe(setUp)
}
