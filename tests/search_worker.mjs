// 在 Node 里运行把门的程序和 Material 的搜索线程：从标准输入读问句，写出每句搜到的，一句一行。
// 末尾的参数是 locations，就只写各条的网址。
import { readFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { createContext, runInContext } from "node:vm";

const [gate, script, index, brief] = process.argv.slice(2);
const queries = JSON.parse(readFileSync(0, "utf8"));
const documents = JSON.parse(readFileSync(index, "utf8"));

let receive, reply;
const run = (url) => {
  const file = fileURLToPath(url);
  runInContext(readFileSync(file, "utf8"), worker, file);
};
const worker = createContext({
  console,
  URL,
  location: { href: `${pathToFileURL(gate)}?${script}` },
  fetch: async () => ({ json: async () => documents }),
  addEventListener: (_, listener) => (receive = listener),
  importScripts: (...urls) => urls.forEach(run),
  postMessage: (message) => (reply = message),
});
worker.self = worker;
run(pathToFileURL(gate));

const ask = async (type, data) => {
  await receive({ data: { type, data } });
  return reply.data;
};
await ask(0, { config: documents.config, docs: [], options: { suggest: true } });
for (const query of queries) {
  const { items } = await ask(2, query);
  const found = brief ? items.flat().map((entry) => entry.location) : items;
  process.stdout.write(JSON.stringify(found) + "\n");
}
