// The other tabs of this browser: who locks or signs out here does it in all of them. Nothing secret is said.

import type { LockReason } from "./engine.ts";

export type Word = { kind: "used"; at: number } | { kind: "locked"; reason: LockReason } | { kind: "signed-out" };

const reasons: ReadonlySet<unknown> = new Set<LockReason>(["idle", "absolute", "asked"]);

export class Tabs {
  readonly #channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel("underseal.session");

  constructor(heard: (word: Word) => void) {
    this.#channel?.addEventListener("message", (message: MessageEvent<unknown>) => {
      const word = wordOf(message.data);
      if (word) heard(word);
    });
  }

  say(word: Word) {
    this.#channel?.postMessage(word);
  }
}

// A tab may be of an older build: what is not one of our words is not heard.
function wordOf(data: unknown): Word | null {
  if (typeof data !== "object" || data === null || !("kind" in data)) return null;
  if (data.kind === "signed-out") return { kind: "signed-out" };
  if (data.kind === "used" && "at" in data && typeof data.at === "number") return { kind: "used", at: data.at };
  if (data.kind === "locked" && "reason" in data && reasons.has(data.reason)) return { kind: "locked", reason: data.reason as LockReason };
  return null;
}
