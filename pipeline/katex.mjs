// 一行一个请求 {tex, display}，一行一个答复 {parts} 或 {error}。
// parts 是 .katex 里的内容，先是 MathML，再是一段一段的 HTML，折行只在段与段之间。
// KaTeX 的排版树省去不影响样子的元素，与 katex.css 相配。
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import katex from "katex";

const { Span, SymbolNode } = katex.__domTree;
const css = readFileSync(new URL(import.meta.resolve("katex/dist/katex.min.css")), "utf8");
const STYLED = new Set(Array.from(css.matchAll(/\.([a-z][\w-]*)/g), (match) => match[1]));
const SIZES = [0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.44, 1.728, 2.074, 2.488];
const SCRIPTS = new Set(["msub", "msup", "msubsup", "munder", "mover", "munderover"]);
const ROWS = new Set(["math", "mstyle", "msqrt", "mtd", "mpadded"]); // 内容自成一行
const SHORT = 10; // 公式不多于这么多个字符，就不折行
const LONG = 20; // 括号里面不折行，除非连起来多于这么多个字符

const em = (value) => `${+value.toFixed(4)}em`;
const has = (node, name) => node?.classes?.includes(name) ?? false;
const isEmpty = (object) => Object.keys(object ?? {}).length === 0;
const isBare = (node) => node.classes?.length === 0 && isEmpty(node.style);

// 长度相加，写进 style；零就不写
function shift(node, name, value) {
  const total = (parseFloat(node.style[name]) || 0) + parseFloat(value || 0);
  if (Math.abs(total) < 1e-4) delete node.style[name];
  else node.style[name] = em(total);
}

// 一个节点换成零个或多个：没有样式的 span 换成它的内容
function trim(node) {
  if (!node.classes) return [node]; // SVG
  node.classes = node.classes.filter((name) => STYLED.has(name));
  if (node instanceof SymbolNode) {
    shift(node, "marginRight", node.italic);
    node.italic = 0;
    return [node];
  }
  if (has(node, "vlist-t")) stack(node);
  else node.children = space(node.children.flatMap(trim));
  const [only, ...others] = node.children;
  const isBox = has(node, "katex-base") || has(node, "katex-sizing");
  if (has(only, "vlist") && others.length === 0 && isEmpty(only.style) && !isBox) {
    node.classes.push("vlist");
    node.children = only.children;
  }
  return isBare(node) && isEmpty(node.attributes) ? node.children : [node];
}

// 竖排的各项原是一张表，每项靠一根支柱定位；改成叠在同一格里，各按基线偏移
function stack(table) {
  const rows = table.children[0].children[0].children;
  table.children = rows.map((row) => {
    const [strut, ...content] = row.children;
    const item = new Span(row.classes, content.flatMap(trim), undefined, row.style);
    shift(item, "top", strut.style.height);
    const [only, ...others] = item.children;
    return has(only, "katex-sizing") && others.length === 0 ? resize(item, only) : item;
  });
  table.classes = ["vlist"];
}

// 只为偏移的一层并进只为字号的一层；em 从此按小的字号算
function resize(outer, inner) {
  const [from, to] = ["reset-size", "size"].map((prefix) =>
    inner.classes.find((name) => name.startsWith(prefix)).slice(prefix.length));
  const ratio = SIZES[to - 1] / SIZES[from - 1];
  for (const name in outer.style) shift(inner, name, parseFloat(outer.style[name]) / ratio);
  const [only, ...others] = inner.children;
  if (!(only instanceof SymbolNode) || others.length) return inner;
  for (const name in only.style) shift(inner, name, only.style[name]);
  inner.classes.push(...only.classes);
  inner.children = [new SymbolNode(only.text)];
  return inner;
}

// 空白并进它前面或后面的元素，字号不同的除外
function space(nodes) {
  const isGap = (node) => has(node, "mspace") && node.children?.length === 0;
  const isText = (node) => node instanceof SymbolNode;
  const takes = (node) => isText(node) && !isBare(node);
  const gone = new Set();
  nodes.forEach((node, i) => {
    if (!isGap(node)) return;
    const width = node.style.marginRight;
    const [before, after] = [nodes[i - 1], nodes[i + 1]];
    if (isText(after) && isGap(nodes[i + 2])) shift(after, "marginLeft", width);
    else if (takes(before)) shift(before, "marginRight", width);
    else if (takes(after)) shift(after, "marginLeft", width);
    else return;
    gone.add(node);
  });
  return nodes.filter((node) => !gone.has(node));
}

// 行高放得下的支柱不要
function isSpare(node) {
  const depth = -parseFloat(node.style.verticalAlign || 0);
  return has(node, "katex-strut") && depth <= 0.27 && parseFloat(node.style.height) - depth <= 0.88;
}

const isLetter = (node) =>
  node.attributes?.mathvariant === "normal" && /^[a-z]$/i.test(node.toText());

// MathML：只有一项的 mrow、semantics 和 TeX 原文不要，逐个字母的单词连起来
function trimMath(node) {
  if (!node.children) return [node];
  if (node.type === "semantics") return trimMath(node.children[0]);
  // KaTeX 给 \max 两个节点，角标里只许一个：留下字，不要看不见的「作用于」
  if (SCRIPTS.has(node.type)) {
    node.children = node.children.map((child) => (child.type ? child : child.children[0]));
  }
  node.children = node.children.flatMap(trimMath);
  const [only, ...others] = node.children;
  if (ROWS.has(node.type) && others.length === 0 && only?.type === "mrow") node.children = only.children;
  if (node.type !== "mrow" || !isEmpty(node.attributes)) return [node];
  if (others.length > 0 && node.children.every(isLetter)) {
    delete only.attributes.mathvariant;
    only.children[0].text = node.toText();
    return [only];
  }
  return others.length === 0 ? node.children : [node];
}

const textOf = (node) => node.text ?? node.children?.map(textOf).join("") ?? "";

// 短的公式，和括号里面，不折行：相连的段并成一段
function join(bases) {
  const short = bases.map(textOf).join("").length <= SHORT;
  const joined = [];
  let depth = 0;
  for (const base of bases) {
    const last = joined.at(-1);
    const fits = last && (textOf(last) + textOf(base)).length <= LONG;
    if (last && (short || (depth > 0 && fits))) last.children.push(...base.children);
    else joined.push(base);
    depth += textOf(base).match(/[([{]/g)?.length ?? 0;
    depth -= textOf(base).match(/[)\]}]/g)?.length ?? 0;
  }
  return joined;
}

function render(tex, display) {
  let tree = katex.__renderToDomTree(tex, { displayMode: display, strict: "error" });
  if (display) tree = tree.children[0];
  const [{ children: [math] }, html] = tree.children;
  delete math.attributes.xmlns;
  trimMath(math);
  const bases = display ? html.children : join(html.children);
  for (const base of bases) {
    base.children = base.children.filter((node) => !isSpare(node));
    trim(base);
    base.setAttribute("aria-hidden", "true");
  }
  return [math, ...bases].map((node) => node.toMarkup());
}

for await (const line of createInterface({ input: process.stdin })) {
  const { tex, display } = JSON.parse(line);
  let reply;
  try {
    reply = { parts: render(tex, display) };
  } catch (error) {
    reply = { error: error.message };
  }
  process.stdout.write(JSON.stringify(reply) + "\n");
}
