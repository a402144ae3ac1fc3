// A device that is open lets a new one in: the code on the new one's screen, words that both show, and a yes.

import type { App, Screen } from "../app.ts";
import { fill, h, type Child } from "../dom.ts";
import type { DeviceAnswer } from "../engine.ts";
import { failureOf } from "../engine-client.ts";
import { withProof } from "../prove.ts";
import { say } from "../sentences.ts";
import { timer } from "../timer.ts";
import { announce, busy, button, field, form, page, problem, problemSlot, words } from "../ui.ts";

const t = say.device;
const every = 2000; // ms

/** code is what stood after # in the picture's link; empty where it is to be typed. Nothing happens before somebody says so. */
export function deviceScreen(app: App, code: string): Screen {
  const body = h("div", { id: "device", class: "stack" });
  let gone = false;
  const draw = (state: string, ...children: Child[]) => {
    body.dataset["state"] = state;
    fill(body, children);
    body.querySelector("h2")?.focus();
  };
  const over = (failure: { code: string; detail: string }) => draw("over", problem(failure), h("div", { class: "actions start" },
    h("a", { class: "button quiet", href: "/account" }, t.back), button(t.again, { id: "device-again" }, () => draw("code", ask("")))));

  const ask = (text: string) => codeForm(app, text, (answer) => draw("answered", compare(app, answer, {
    over: () => over({ code: "request-gone", detail: "" }),
    granted: () => void granted(answer),
    refused: () => draw("refused", h("div", { class: "sheet" }, h("h2", { tabindex: -1 }, t.refusedTitle), h("p", {}, t.refused)), done()),
  })));

  const granted = async (answer: DeviceAnswer) => {
    draw("granted", h("div", { class: "sheet" }, h("h2", { tabindex: -1 }, t.grantedTitle), h("p", { role: "status" }, t.granted), h("div", { id: "device-words" }, words(answer.words))));
    try {
      while (!gone && !(await app.engine.call("deviceDone", { unattended: true })).done) await new Promise((resolve) => setTimeout(resolve, every));
    } catch (thrown) {
      if (!gone) over(failureOf(thrown));
      return;
    }
    if (gone) return;
    draw("done", h("div", { class: "sheet" }, h("h2", { id: "device-done", tabindex: -1 }, t.doneTitle), h("p", {}, t.done)), done());
    announce(t.doneTitle);
  };

  body.dataset["state"] = "code";
  fill(body, ask(code));
  return { node: page(t.title, body), leave: () => void (gone = true) };
}

function done(): HTMLElement {
  return h("div", { class: "actions start" }, h("a", { class: "button", href: "/account" }, t.back));
}

function codeForm(app: App, text: string, opened: (answer: DeviceAnswer) => void): Child {
  const slot = problemSlot();
  const input = h("input", { id: "device-code-text", class: "code-text", required: true, value: text, maxlength: 80, autocomplete: "off", autocapitalize: "characters", spellcheck: "false" });
  const go = h("button", { id: "device-open", class: "primary", type: "submit" }, t.open);
  const submit = () => void busy(go, slot, async () => opened(await withProof(app, () => app.engine.call("deviceOpen", { code: input.value }))));
  return [
    h("p", { class: "lead" }, t.lead),
    form({ class: "sheet" }, submit, field(t.code, input, t.codeHint), slot.node, h("div", { class: "actions start" }, go)),
    h("p", { class: "hint" }, t.warning),
  ];
}

interface Ends {
  over(): void;
  granted(): void;
  refused(): void;
}

function compare(app: App, answer: DeviceAnswer, ends: Ends): Child {
  const slot = problemSlot();
  const grant = button(t.grant, { id: "device-grant", class: "primary" }, () => void busy(grant, slot, async () => {
    await withProof(app, () => app.engine.call("deviceGrant"));
    ends.granted();
  }));
  const refuse = button(t.refuse, { id: "device-refuse", class: "quiet" }, () => void busy(refuse, slot, async () => {
    await app.engine.call("deviceRefuse");
    ends.refused();
  }));
  return h("div", { class: "sheet device-compare" },
    h("h2", { tabindex: -1 }, t.compareTitle),
    h("p", {}, t.compare),
    h("div", { id: "device-words" }, words(answer.words)),
    h("p", { class: "caution" }, t.compareNo),
    h("p", { class: "hint" }, say.newDevice.good, timer(answer.expiresAt, ends.over)),
    slot.node,
    h("div", { class: "actions start" }, grant, refuse));
}
