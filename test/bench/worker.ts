// One contender in one dedicated worker, as the app has one. A first small round proves that what was opened is what was
// sealed, and warms the code up; only then does the clock run.

import { Content, contenders, same } from "./contenders.ts";
import type { Contender } from "./contenders.ts";

export type Order = { do: "prepare"; name: string; bytes: number } | { do: "seal" | "keep" | "open" };
export type Answer = { seconds: number } | { failure: string };

const SMALL = 9 * 2 ** 20 + 12_345; // several chunks, a last one that is not full

let contender: Contender | null = null;
let bytes = 0;
let content: Content | null = null;

async function prove(c: Contender): Promise<void> {
  await c.seal(new Content(SMALL), true);
  let opened = 0;
  await c.open((part, at) => {
    if (!same(part, at)) throw new Error("what was opened is not what was sealed");
    opened += part.length;
  });
  if (opened !== SMALL) throw new Error(`opened ${opened} bytes of ${SMALL}`);
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

async function obey(order: Order): Promise<number> {
  if (order.do === "prepare") {
    const make = contenders[order.name];
    if (!make) throw new Error("no such contender");
    contender = await make();
    bytes = order.bytes;
    await prove(contender);
    content = new Content(bytes);
    return 0;
  }
  const c = contender;
  if (!c) throw new Error("not prepared");
  if (order.do === "open") {
    let opened = 0;
    const seconds = await timed(() => c.open((part) => void (opened += part.length)));
    if (opened !== bytes) throw new Error(`opened ${opened} bytes of ${bytes}`);
    return seconds;
  }
  if (order.do === "keep" && c.sealed()) return 0;
  const fresh = content ?? new Content(bytes);
  content = null;
  return timed(() => c.seal(fresh, order.do === "keep"));
}

globalThis.onmessage = async (message: MessageEvent<Order>) => {
  let answer: Answer;
  try {
    answer = { seconds: await obey(message.data) };
  } catch (thrown) {
    answer = { failure: String(thrown) };
  }
  globalThis.postMessage(answer);
};
