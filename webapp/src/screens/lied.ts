// The loudest screen: what the server showed contradicts what members signed. Never mistaken for a network error.

import type { App, Screen } from "../app.ts";
import { h } from "../dom.ts";
import type { Failure } from "../engine.ts";
import { visible } from "../format.ts";
import { known, say } from "../sentences.ts";
import { busy, button, problemSlot } from "../ui.ts";
import { exportRefusals } from "./account.ts";

const t = say.lied;

export function liedScreen(app: App, failure: Failure, promised: string, shown: string): Screen {
  const slot = problemSlot();
  const save = button(t.export, { id: "lied-export", class: "danger large" }, () => void busy(save, slot, () => exportRefusals(app)));
  return {
    node: h("section", { id: "lied", class: "page lied", "data-code": known(failure.code) },
      h("div", { role: "alert" }, h("h1", { tabindex: -1 }, t.title), h("p", { class: "lead" }, t.lead)),
      h("dl", { class: "evidence" },
        h("div", {}, h("dt", {}, t.promised), h("dd", { id: "lied-promised" }, lines(promised))),
        h("div", {}, h("dt", {}, t.shown), h("dd", { id: "lied-shown" }, lines(shown)))),
      h("h2", {}, t.todo),
      h("ol", {}, t.todos.map((step) => h("li", {}, step))),
      slot.node,
      h("div", { class: "actions start" }, save, button(t.leave, { id: "lied-leave", class: "quiet" }, () => app.go("/"))),
      h("p", { class: "problem-code" }, say.code(known(failure.code)), failure.detail !== "" && " \u00b7 " + visible(failure.detail))),
  };
}

function lines(text: string): string {
  return text.split("\n").map(visible).join("\n");
}
