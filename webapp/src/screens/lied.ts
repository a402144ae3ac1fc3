// The loudest screen: what the server showed contradicts what members signed. Never mistaken for a network error.

import type { App, Screen } from "../app.ts";
import { h } from "../dom.ts";
import type { Event } from "../engine.ts";
import { digestText, shortDigest, visible } from "../format.ts";
import { saveText } from "../savefile.ts";
import { known, say } from "../sentences.ts";
import { busy, button, copyable, problemSlot } from "../ui.ts";
import { exportRefusals } from "./account.ts";

const t = say.lied;

export function liedScreen(app: App, lie: Extract<Event, { event: "lied" }>): Screen {
  const { failure, promised, shown, evidence = "" } = lie;
  const slot = problemSlot();
  const journal = button(t.export, { id: "lied-export", class: evidence !== "" ? "" : "danger large" }, () => void busy(journal, slot, () => exportRefusals(app)));
  return {
    node: h("section", { id: "lied", class: "page lied", "data-code": known(failure.code) },
      h("div", { role: "alert" }, h("h1", { tabindex: -1 }, t.title), h("p", { class: "lead" }, t.lead)),
      h("dl", { class: "evidence" },
        h("div", {}, h("dt", {}, t.promised), h("dd", {}, said("promised", evidence) ?? t.signedBefore), h("dd", { id: "lied-promised", class: "hint" }, t.asked + lines(promised))),
        h("div", {}, h("dt", {}, t.shown), said("shown", evidence) !== null && h("dd", {}, said("shown", evidence)), h("dd", { id: "lied-shown", class: "found" }, lines(shown)))),
      h("h2", {}, t.todo),
      h("ol", {}, (evidence !== "" ? t.todosEvidence : t.todos).map((step) => h("li", {}, step))),
      slot.node,
      h("div", { class: "actions start" },
        evidence !== "" && button(t.evidence, { id: "lied-evidence", class: "danger large" }, () => saveText(t.evidenceFile, evidence)),
        journal, button(t.leave, { id: "lied-leave", class: "quiet" }, () => app.go("/"))),
      evidence !== "" && h("div", { class: "judge" }, h("p", {}, t.judge), judging(evidence, "lied")),
      h("p", { class: "problem-code" }, say.code(known(failure.code)), failure.detail !== "" && failure.detail !== shown && " \u00b7 " + visible(failure.detail))),
  };
}

/** The commands by which others judge evidence. */
export function judging(evidence: string, id: string): HTMLElement[] {
  return [copyable(say.verify.commands.keep(logAddress(evidence)), id + "-keep", t.keepWhat), copyable(say.verify.commands.evidence, id + "-judge", t.judgeWhat)];
}

// The log's name ends with what stands in its public address.
function logAddress(evidence: string): string {
  const name = /"origin": "[^"]*\/log\/([a-z0-9]+)"/.exec(evidence)?.[1] ?? "";
  return location.origin + "/log/" + name;
}

// A signed state of the log says its name, its size and its root, each on a line. What is no such thing is not shown.
function said(what: "promised" | "shown", evidence: string): string | null {
  if (evidence === "") return null;
  const file = JSON.parse(evidence) as Partial<Record<string, unknown>>; // this device wrote it
  const [, entries, root] = new RegExp("\\S+/log/[a-z0-9]+\n([0-9]+)\n([A-Za-z0-9+/]{43}=)\n").exec(String(file[what])) ?? [];
  return entries === undefined || root === undefined ? null : t.signed(Number(entries), shortDigest(digestText(root)));
}

function lines(text: string): string {
  return text.split("\n").map(visible).join("\n");
}
