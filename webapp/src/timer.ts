// How long something is good for, while it is on the page.

import { h } from "./dom.ts";
import { timeLeft } from "./format.ts";

/** over is called once, if it is still on the page then. */
export function timer(until: number, over: () => void): HTMLElement {
  const node = h("span", { class: "wait-left", role: "timer", "aria-live": "off" });
  let seen = false;
  const tick = () => {
    const left = Math.max(0, Math.ceil((until - Date.now()) / 1000));
    node.textContent = timeLeft(left);
    if (seen && !node.isConnected) return clearInterval(every);
    seen ||= node.isConnected;
    if (left > 0) return;
    clearInterval(every);
    if (node.isConnected) over();
  };
  const every = setInterval(tick, 500);
  tick();
  return node;
}
