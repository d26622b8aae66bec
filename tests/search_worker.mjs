// 在 Node 里运行 Material 的搜索线程：从标准输入读问句，写出每句搜到的各条，一句一行。
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { createContext, runInContext } from "node:vm";

const [script, index] = process.argv.slice(2);
const queries = JSON.parse(readFileSync(0, "utf8"));

let receive, reply;
const run = (file) => runInContext(readFileSync(file, "utf8"), worker, file);
const worker = createContext({
  console,
  addEventListener: (_, listener) => (receive = listener),
  importScripts: (...urls) => urls.forEach((url) => run(resolve(dirname(script), url))),
  postMessage: (message) => (reply = message),
});
worker.self = worker;
run(script);

const ask = async (type, data) => {
  await receive({ data: { type, data } });
  return reply.data;
};
const options = { suggest: true };
await ask(0, { ...JSON.parse(readFileSync(index, "utf8")), options });
for (const query of queries) {
  process.stdout.write(JSON.stringify((await ask(2, query)).items) + "\n");
}
