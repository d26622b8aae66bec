// 一行一个请求 {tex, display}，一行一个答复 {html} 或 {error}。
// annotation 是公式的 TeX 原文，页面上不要它：搜索、读屏和字数都会多算一遍。
import { createInterface } from "node:readline";
import katex from "katex";

for await (const line of createInterface({ input: process.stdin })) {
  const { tex, display } = JSON.parse(line);
  let reply;
  try {
    const html = katex.renderToString(tex, { displayMode: display, strict: "error" });
    reply = { html: html.replace(/<annotation[^]*?<\/annotation>/g, "") };
  } catch (error) {
    reply = { error: error.message };
  }
  process.stdout.write(JSON.stringify(reply) + "\n");
}
