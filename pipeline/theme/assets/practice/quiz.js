// 自测：记下会不会，照 SM-2 定下次什么时候再问；随机抽题，照面试那样计时。都在这个浏览器里。
{
  const DAY = 86_400_000
  const GRADES = { 会: 5, 模糊: 3, 不会: 1 } // SM-2 的 0 到 5 分
  const read = () => __md_get("quiz") ?? {}
  const write = marks => __md_set("quiz", marks)

  /** SM-2（Wozniak，1990）：答得出的，间隔是 1 天、6 天，以后每次乘难度；答不出的从头来。 */
  function schedule({ times = 0, days = 0, ease = 2.5 } = {}, grade, now) {
    ease = Math.max(1.3, ease + 0.1 - (5 - grade) * (0.08 + (5 - grade) * 0.02))
    if (grade < 3) return { times: 0, days: 0, ease, due: now }
    days = times === 0 ? 1 : times === 1 ? 6 : Math.round(days * ease)
    return { times: times + 1, days, ease, due: now + days * DAY }
  }

  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag)
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value)
      else element.setAttribute(name, value)
    }
    element.append(...children)
    return element
  }
  const button = (text, onclick) => make("button", { type: "button", class: "quiz-button", onclick }, text)

  /** 一道题的三个按钮；记下了就说下次什么时候。 */
  function grade(box, marked = () => {}) {
    const told = make("span", { role: "status" })
    const mark = word => {
      const marks = read()
      const id = box.dataset.quiz
      marks[id] = schedule(marks[id], GRADES[word], Date.now())
      write(marks)
      told.textContent = marks[id].days ? `${marks[id].days} 天后再问。` : "这一轮还会再问。"
      marked()
    }
    const row = make("div", { class: "quiz-marks" }, ...Object.keys(GRADES).map(word => button(word, () => mark(word))), told)
    box.querySelector("details").append(row)
  }

  class Panel {
    constructor(element, boxes) {
      this.element = element
      this.boxes = boxes
      this.count = make("p", { role: "status" })
      this.stage = make("div", { class: "quiz-stage" })
      this.clock = make("span", { class: "quiz-clock", role: "timer" })
      const file = make("input", { type: "file", accept: "application/json", "aria-label": "导入记录", hidden: "", onchange: () => this.import(file) })
      element.append(
        make("div", { class: "quiz-tools" },
          button("抽一题，30 秒", () => this.draw(30)), button("抽一题，2 分钟", () => this.draw(120)), this.clock),
        this.stage, this.count,
        make("div", { class: "quiz-tools" },
          button("导出记录", () => this.export()), button("导入记录", () => file.click()),
          button("清除记录", () => { write({}); this.tell("清除了。") }), file))
      this.tell()
    }

    tell(first = "") {
      const marks = read()
      const known = this.boxes.filter(box => box.dataset.quiz in marks)
      const due = known.filter(box => marks[box.dataset.quiz].due <= Date.now())
      this.count.textContent = `${first}共 ${this.boxes.length} 题，答过 ${known.length} 题，其中 ${due.length} 题到了该再问的时候。`
    }

    /** 先抽该再问的，再抽没答过的，都没有就随便抽；不连着抽同一题。 */
    draw(seconds) {
      const marks = read()
      const others = this.boxes.filter(box => box !== this.last)
      const due = others.filter(box => marks[box.dataset.quiz]?.due <= Date.now())
      const fresh = others.filter(box => !(box.dataset.quiz in marks))
      const pool = [due, fresh, others].find(some => some.length)
      this.last = pool[Math.floor(Math.random() * pool.length)]
      const copy = this.last.cloneNode(true)
      copy.removeAttribute("id")
      copy.querySelectorAll("[id]").forEach(e => e.removeAttribute("id"))
      copy.querySelector(".quiz-marks")?.remove()
      copy.querySelector("details").open = false
      grade(copy, () => this.tell())
      this.stage.replaceChildren(copy)
      clearInterval(this.timer)
      const end = Date.now() + seconds * 1000
      const tick = () => {
        const left = Math.ceil((end - Date.now()) / 1000)
        this.clock.textContent = left > 0 ? `还有 ${left} 秒` : "时间到，对一对答案"
        if (left > 0 && !copy.querySelector("details").open) return
        clearInterval(this.timer)
        if (left > 0) this.clock.textContent = `用了 ${seconds - left} 秒`
        copy.querySelector("details").open = true
      }
      tick()
      this.timer = setInterval(tick, 250)
    }

    export() {
      const url = URL.createObjectURL(new Blob([JSON.stringify(read())], { type: "application/json" }))
      make("a", { href: url, download: "quiz.json" }).click()
      URL.revokeObjectURL(url)
    }

    async import(input) {
      try {
        const given = JSON.parse(await input.files[0].text())
        const fits = mark => ["times", "days", "ease", "due"].every(key => Number.isFinite(mark[key]))
        if (!Object.values(given).every(fits)) throw Error()
        write({ ...read(), ...given })
        this.tell("导入了。")
      } catch {
        this.tell("这个文件不是导出的记录，没有导入。")
      }
      input.value = "" // 同一个文件再选一次，也要有动静
    }
  }

  const setUp = () => {
    const panel = document.querySelector(".quiz-panel:empty")
    if (!panel) return
    const boxes = [...document.querySelectorAll(".quiz")]
    boxes.forEach(box => grade(box))
    new Panel(panel, boxes)
  }
  if (location.protocol === "file:") setUp() // 那里 document$ 不响
  else document$.subscribe(setUp)
}
