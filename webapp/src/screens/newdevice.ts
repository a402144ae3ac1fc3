// A device that knows nobody: it shows a code that a device with the account reads, then words that the person compares on both,
// and takes the account over when he says so here, too.

import type { App, Screen } from "../app.ts";
import { fill, h, type Child } from "../dom.ts";
import type { DeviceAsked, DeviceCode } from "../engine.ts";
import { failureOf } from "../engine-client.ts";
import { visible } from "../format.ts";
import { qrPicture } from "../qr.ts";
import { say, type Explanation } from "../sentences.ts";
import { timer } from "../timer.ts";
import { announce, busy, button, copyable, page, problem, problemSlot, words } from "../ui.ts";
import { secondWayScreen } from "./secondway.ts";

const t = say.newDevice;
const every = 2000; // ms

/** then is where to go with keys in hand, back to where this was asked for. */
export function newDeviceScreen(app: App, then: string, back: () => void): Screen {
  const body = h("div", { id: "new-device", class: "stack" }, h("p", { role: "status" }, say.loading));
  const node = page(t.title, body);
  let visit = 0; // only the newest code's answers count
  const draw = (state: string, ...children: Child[]) => {
    body.dataset["state"] = state;
    fill(body, children);
  };
  const leave = button(say.back, { id: "new-device-back", class: "quiet" }, () => (visit++, back()));
  const again = () => button(t.again, { id: "new-device-again", class: "primary" }, () => void begin());
  const over = (failure: { code: string; detail: string }, as?: Explanation) => {
    visit++;
    draw("over", problem(failure, as), h("div", { class: "actions start" }, leave, again()));
  };

  const begin = async () => {
    const mine = ++visit;
    try {
      const code = await app.engine.call("deviceAsk");
      if (mine !== visit) return;
      draw("waiting", show(code, () => over(gone)), h("div", { class: "actions start" }, leave));
      const answer = await answered(app, () => mine === visit);
      if (answer === null) return;
      if (answer.state === "refused") return over(gone, t.refused);
      draw("answered", compare(answer, { take: () => take(mine), over: () => over(gone), refused: () => over(gone, t.refused), differ: () => over(gone, t.differed) }));
      body.querySelector("h2")?.focus();
    } catch (thrown) {
      if (mine === visit) over(failureOf(thrown));
    }
  };

  // What it waits for is the yes on the other device.
  const take = async (mine: number) => {
    for (;;) {
      const overview = await app.engine.call("deviceTake").catch((thrown: unknown) => {
        if (failureOf(thrown).code !== "waiting") throw thrown;
        return null;
      });
      if (mine !== visit) return;
      if (overview) {
        visit++;
        app.signedIn(overview);
        return app.show(takenScreen(app, overview.name, then));
      }
      await sleep(every);
    }
  };

  void begin();
  return { node, leave: () => void visit++ };
}

const gone = { code: "request-gone", detail: "" };

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

// A look that the network loses is made again; the code is good for so long.
async function answered(app: App, current: () => boolean): Promise<DeviceAsked | null> {
  for (;;) {
    await sleep(every);
    if (!current()) return null;
    const now = await app.engine.call("deviceAsked").catch((thrown: unknown) => {
      if (failureOf(thrown).code !== "offline") throw thrown;
      return null;
    });
    if (!current()) return null;
    if (now && now.state !== "waiting") return now;
  }
}

function show(code: DeviceCode, over: () => void): Child {
  return [
    h("p", { class: "lead" }, t.lead),
    h("div", { class: "sheet" },
      h("div", { class: "app-ways" },
        h("figure", {}, qrPicture("device-qr", t.picture, code.qr)),
        h("div", { class: "stack" },
          h("p", {}, t.scan),
          h("div", { class: "stack tight" }, h("p", {}, t.type), copyable(code.code, "device-code", t.code)),
          h("p", { class: "hint" }, t.good, timer(code.expiresAt, over)),
          h("p", { class: "status", role: "status" }, t.waiting)))),
    h("p", { class: "hint" }, t.safe),
  ];
}

interface Ends {
  take(): Promise<void>;
  over(): void;
  refused(): void;
  differ(): void;
}

function compare(asked: DeviceAsked, ends: Ends): Child {
  const slot = problemSlot();
  const status = h("p", { class: "status", role: "status" });
  const same = button(t.same(visible(asked.name)), { id: "device-same", class: "primary" }, () => void busy(same, slot, async () => {
    status.textContent = t.otherYes;
    try {
      await ends.take();
    } catch (thrown) {
      if (failureOf(thrown).code !== gone.code) throw thrown;
      ends.refused();
    } finally {
      status.textContent = "";
    }
  }));
  const no = button(t.differ, { id: "device-differ", class: "quiet" }, ends.differ);
  announce(t.compareTitle);
  return h("div", { class: "sheet device-compare" },
    h("h2", { tabindex: -1 }, t.compareTitle),
    h("p", {}, t.compare),
    h("div", { id: "device-words" }, words(asked.words)),
    h("p", { id: "device-whose" }, t.whose(visible(asked.name))),
    h("p", { class: "caution" }, t.compareNo),
    h("p", { class: "hint" }, t.good, timer(asked.expiresAt, ends.over)),
    slot.node, status,
    h("div", { class: "actions start" }, same, no));
}

// It opens by itself only with something of its own.
function takenScreen(app: App, who: string, then: string): Screen {
  return {
    node: page(t.takenTitle,
      h("p", { id: "device-taken", class: "lead" }, t.taken(visible(who))),
      h("div", { class: "sheet" }, h("p", {}, t.own),
        h("div", { class: "actions start" },
          button(t.makePasskey, { id: "device-passkey", class: "primary" }, () => app.show(secondWayScreen(app, then))),
          button(t.later, { id: "device-later", class: "quiet" }, () => app.go(then))))),
  };
}
