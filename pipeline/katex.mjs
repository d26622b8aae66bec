// 一行一个请求 {tex, display}，一行一个答复 {markup} 或 {error}。
import { createInterface } from "node:readline";
import katex from "katex";

const EXTENSIONS = ["htmlExtension"]; // \\htmlClass 一类，由 trust 拒绝，说得更清楚
const strict = (code) => (EXTENSIONS.includes(code) ? "ignore" : "error");
const trust = ({ command }) => {
  throw new Error(`untrusted ${command}`);
};

for await (const line of createInterface({ input: process.stdin })) {
  const { tex, display } = JSON.parse(line);
  let reply;
  try {
    reply = { markup: katex.renderToString(tex, { displayMode: display, strict, trust }) };
  } catch (error) {
    reply = { error: error.message };
  }
  process.stdout.write(JSON.stringify(reply) + "\n");
}
