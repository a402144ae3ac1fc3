// Keeps a matter on the screen up to date while somebody looks at it: what others did comes by itself.

import type { App } from "./app.ts";
import type { Id } from "./engine.ts";
import { failureOf } from "./engine-client.ts";

const every = 15_000;

/** Codes that mean "not now": the next look may find it. All others are shown by closed, which asks again and says why. */
const passing = new Set(["offline", "unavailable", "waiting", "cancelled", "internal"]);

/** Looks for what is new in matter until node is taken off the page. What is new arrives as an event. */
export function watch(app: App, matter: Id, node: HTMLElement, closed: () => void) {
  let looking = false;
  const look = async () => {
    if (looking || document.hidden) return;
    looking = true;
    try {
      await app.engine.call("matterRefresh", { matter, unattended: true });
    } catch (thrown) {
      if (!passing.has(failureOf(thrown).code)) {
        stop();
        closed();
      }
    } finally {
      looking = false;
    }
  };
  const tick = () => {
    if (node.isConnected) void look();
    else stop();
  };
  const timer = setInterval(tick, every);
  document.addEventListener("visibilitychange", tick);
  const stop = () => {
    clearInterval(timer);
    document.removeEventListener("visibilitychange", tick);
  };
}
