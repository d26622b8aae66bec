// 替 Material 的搜索程序把门：读者真的输入了，才取它和索引；问句先统一写法，再交给它。
// 它只认得词典切出的词，所以另在各节里逐字找一遍，它漏了的补上。
// 网址的问号后面是 Material 的搜索程序；消息的种类：0 建索引，1 建好了，2 查询，3 结果。
const here = new URL(self.document ? document.currentScript.src : location.href)
const reply = self.postMessage.bind(self)
let setup, loading, material, answer, fillers, sections
let variants = new Map()

async function load() {
  // 从磁盘打开时，索引已经在消息里
  const index = setup.docs.length
    ? setup
    : await (await fetch(new URL("../../../search/documents.json", here))).json()
  self.addEventListener = (_, listener) => (material = listener)
  self.postMessage = ({ data }) => (answer = data)
  await importScripts(new URL(here.search.slice(1).split("?")[0], here))
  await ask(0, { ...setup, ...index })
  fillers = new RegExp(index.config.fillers, "g")
  variants = new Map(index.config.variants.match(/../g)?.map(([old, char]) => [old, char]))
  sections = index.docs.map(({ location, boost = 1, ...html }) => {
    const [title, text] = [html.title, html.text].map((s) => s.replace(/[\u200b\u2060]/g, ""))
    return { location, boost, title, text, plain: plain(title) + "\n" + plain(text) }
  })
}

async function ask(type, data) {
  await material({ data: { type, data } })
  return answer
}

// 统一写法：半角、小写、简体。字数不变，在这里找到的位置就是原来的位置。
function fold(text) {
  return text
    .replace(/[^\0-\x7f]/g, (char) => {
      const half = char.normalize("NFKC")
      return half.length === 1 ? (variants.get(half) ?? half) : char
    })
    .toLowerCase()
    .replace(/(?<=\d)×(?=\d)/g, "x")
}

function plain(html) {
  return fold(html.replace(/<[^>]*>|&\w+;/g, (tag) => " ".repeat(tag.length)))
}

// 问句里的每一段：中文逐字相同，别的从词头比起，字母与数之间可以有连字符。
function patterns(query, cut = (run) => [run]) {
  const runs = query.match(/\p{sc=Han}+|((?!\p{sc=Han})[\p{L}\p{N}_]|(?<=\w)\.(?=\d))+/gu) ?? []
  return runs.flatMap((run) => {
    if (/\p{sc=Han}/u.test(run)) return cut(run).map((part) => new RegExp(part, "g"))
    const word = run.replaceAll(".", "\\.").replace(/(?<=[a-z])(?=\d)/g, "[\\s-]?")
    return new RegExp(`(?<![a-z0-9_])${word}`, "g")
  })
}

// 每次切下哪一节里写着的最长的一段；剩下单个的字不要。
function cut(run) {
  for (let end = run.length; end > 1; end--) {
    const part = run.slice(0, end)
    if (sections.some(({ plain }) => plain.includes(part))) return [part, ...cut(run.slice(end))]
  }
  return run.length > 1 ? cut(run.slice(1)) : []
}

// 写着每一段的各节；一节也没有，就去掉「什么」「的」这些虚词，把中文切开再找。
function scan(query) {
  for (const wanted of [patterns(query), patterns(query.replace(fillers, " "), cut)]) {
    const found = sections.filter(({ plain }) => wanted.every((p) => plain.search(p) >= 0))
    if (wanted.length && found.length) return found.map((section) => show(section, wanted))
  }
  return []
}

// 一条结果：标题，正文里头两段有这些字的。
function show({ location, boost, title, text, plain }, wanted) {
  const hits = wanted.flatMap((p) => plain.match(p))
  const blocks = text.split(/<\/?(?:p|ul|ol|li)>/).map((block) => [block, mark(block, wanted)])
  const marked = blocks.filter(([block, html]) => block !== html).slice(0, 2)
  return {
    location,
    title: mark(title, wanted),
    text: marked.map(([, html]) => `<p>${html}</p>`).join(""),
    score: (hits.length * boost) / 1e6,
    terms: Object.fromEntries(hits.map((hit) => [hit, true])),
  }
}

function mark(html, wanted) {
  const spans = wanted.flatMap((p) => [...plain(html).matchAll(p)])
  let [marked, end] = ["", 0]
  for (const { 0: hit, index } of spans.sort((a, b) => a.index - b.index)) {
    if (index < end) continue
    marked += html.slice(end, index)
    end = index + hit.length
    marked += `<mark>${html.slice(index, end)}</mark>`
  }
  return marked + html.slice(end)
}

async function search(text) {
  const query = fold(text)
  const { items, suggest } = await ask(2, query)
  const entries = new Map(items.flat().map((entry) => [entry.location, entry]))
  const scores = [...entries.values()].map(({ score }) => score)
  const found = scan(query)
  // 三个字以内是一个词，拆开就不是它了；长的，Material 找到的若都没写着它，也是拆错了
  const whole = /^\s*\p{sc=Han}{1,3}\s*$/u.test(query)
  const first = whole || !found.some(({ location }) => entries.get(location)?.score)
  for (const entry of found) {
    entry.score = entries.get(entry.location)?.score || entry.score
    if (first) entry.score += Math.max(0, ...scores)
    entries.set(entry.location, entry)
  }
  const sorted = [...entries.values()].filter(({ score }) => score)
  return { items: group(sorted.sort((a, b) => b.score - a.score)), suggest }
}

// 一页一组，每组都有这一页自己的一条，网页才画得出。
function group(entries) {
  const groups = new Map()
  for (const entry of entries) {
    const page = entry.location.split("#")[0]
    groups.set(page, [...(groups.get(page) ?? []), entry])
  }
  for (const [page, group] of groups) {
    if (group.some(({ location }) => location === page)) continue
    group.push({ ...sections.find(({ location }) => location === page), score: 0, terms: {} })
  }
  return [...groups.values()]
}

addEventListener("message", async ({ data: { type, data } }) => {
  if (type === 0) {
    setup = data
    reply({ type: 1 })
    return
  }
  let found = { items: [] }
  if (data) {
    loading ??= load()
    await loading.catch(() => (loading = undefined)) // 没有取到，下次输入时再取
    if (loading) found = await search(data)
  }
  reply({ type: 3, data: found })
})
