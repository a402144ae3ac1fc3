// The recovery kit: a page to print or a file to save, in force once the copy was tested: two of its groups, read from it, or the file.

import type { App, Screen } from "../app.ts";
import { fill, h } from "../dom.ts";
import type { Result } from "../engine.ts";
import { failureOf } from "../engine-client.ts";
import { dateText, dateTime, name, visible } from "../format.ts";
import { kitFile } from "../kitform.ts";
import { saveText } from "../savefile.ts";
import { withProof } from "../prove.ts";
import { say } from "../sentences.ts";
import { teach } from "../teach.ts";
import { announce, busy, button, dialog, field, form, mark, problem, problemSlot } from "../ui.ts";
import { secondWayScreen } from "./secondway.ts";

type Kit = Result<"kitCreate">;

/** Where to go once the kit is in force. after is what was held up by the lack of a second way to unlock. */
interface Way {
  then: string;
  mayWait: boolean;
  after?: (() => void) | undefined;
  /** All keys are replaced together with the kit, and this comes then. */
  renews?: () => void;
}

export function kitScreen(app: App, way: Way): Screen {
  const heading = h("h1", { tabindex: -1 }, say.kit.title);
  const body = h("div", { class: "stack" }, h("p", { role: "status" }, say.kit.making));
  app.engine.call("kitCreate")
    .then((kit) => show(app, way, kit, body))
    .catch((thrown: unknown) => fill(body, problem(failureOf(thrown)), button(say.tryAgain, {}, () => app.show(kitScreen(app, way)))));
  return {
    node: h("section", { class: "page narrow kit" }, heading,
      way.after !== undefined && h("p", { id: "second-way", class: "notice no-print" }, say.secondWay.why),
      way.renews !== undefined && h("p", { id: "renews", class: "notice no-print" }, say.renewal.kit),
      h("p", { class: "lead" }, say.kit.lead), body, teach(app, "kit")),
  };
}

function show(app: App, way: Way, kit: Kit, body: HTMLElement) {
  const saved = savedForm(app, way, kit, () => {
    const test = testForm(app, way, kit, () => show(app, way, kit, body));
    fill(body, test.node);
    test.focus();
  });
  fill(body, sheet(kit), saved);
}

function sheet(kit: Kit): HTMLElement {
  const fact = (term: string, value: Node | string) => [h("dt", {}, term), h("dd", {}, value)];
  return h("article", { class: "sheet kit-sheet" },
    h("header", { class: "kit-head" }, mark(), h("h2", {}, say.kit.sheetTitle)),
    h("dl", { class: "facts" },
      fact(say.kit.for, name(kit.name)),
      kit.firms.length > 0 && fact(say.kit.firms, h("span", {}, kit.firms.map((firm, i) => [i > 0 && ", ", name(firm)]))),
      fact(say.kit.made, dateTime(kit.madeAt)),
      fact(say.kit.site, location.origin)),
    h("h3", {}, say.kit.code),
    h("code", { id: "kit-text", class: "kit-code" }, lines(kit.kit)),
    h("p", { class: "hint" }, say.kit.how));
}

// Two lines of four groups. Nothing stands between them, so that what is copied is the code and no more.
function lines(code: string): HTMLElement[] {
  const groups = code.split(/(?<=-)/);
  const half = Math.ceil(groups.length / 2);
  return [groups.slice(0, half), groups.slice(half)].map((line) => h("span", {}, line.join("")));
}

function savedForm(app: App, { then, mayWait, after }: Way, kit: Kit, test: () => void): HTMLElement {
  const saved = h("input", { id: "kit-saved", type: "checkbox", required: true });
  const confirm = h("button", { id: "kit-confirm", class: "primary", type: "submit" }, say.kit.confirm);
  return form({ class: "no-print" }, test,
    h("div", { class: "actions start" },
      button(say.kit.download, { id: "kit-download" }, () => saveText(say.kit.fileName, asText(kit))),
      button(say.kit.print, { id: "kit-print" }, () => window.print())),
    h("label", { class: "check" }, saved, h("span", {}, say.kit.saved)),
    h("div", { class: "actions" },
      mayWait && button(say.kit.later, { id: "kit-wait", class: "quiet" }, () => app.go(then)),
      confirm),
    after !== undefined && h("p", { class: "hint" }, button(say.kit.orPasskey, { id: "kit-passkey", class: "link" }, () => app.show(secondWayScreen(app, then, after)))));
}

// The code is not on screen any more: what is typed comes from the copy.
function testForm(app: App, { then, after, renews }: Way, kit: Kit, back: () => void) {
  const slot = problemSlot();
  const fields = kit.ask.map((group) => h("input", { id: `kit-group-${group}`, "data-group": group, class: "kit-group", required: true, autocomplete: "off", autocapitalize: "characters", spellcheck: "false", maxlength: 7 }));
  const test = h("button", { id: "kit-test", class: "primary", type: "submit" }, say.kit.test);
  const restore = (code: string) => void busy(test, slot, async () => {
    await app.engine.call("kitTest", { kit: code });
    await withProof(app, () => app.engine.call(renews ? "rootRenew" : "kitConfirm"));
    await app.refresh();
    announce(say.kit.tested);
    if (renews) return renews();
    app.go(then);
    after?.();
  });
  const node = form({ class: "sheet no-print" }, () => restore(fields.map((field) => field.value.trim()).join(" ")),
    h("h2", {}, say.kit.testTitle),
    h("p", {}, say.kit.testText),
    h("div", { class: "kit-groups" }, fields.map((input, i) => field(say.kit.group(kit.ask[i] ?? 0), input))),
    h("p", { class: "hint" }, say.kit.testFile, " ", kitFile("kit-test-file", restore)),
    slot.node,
    h("div", { class: "actions" }, button(say.kit.back, { id: "kit-back", class: "quiet" }, back), test));
  return { node, focus: () => fields[0]?.focus() };
}

// The code stands alone between two rules: sign-in finds it there.
function asText(kit: Kit): string {
  const rule = "-".repeat(40);
  return [
    say.kit.sheetTitle, "",
    `${say.kit.for}: ${visible(kit.name)}`,
    ...(kit.firms.length > 0 ? [`${say.kit.firms}: ${kit.firms.map(visible).join(", ")}`] : []),
    `${say.kit.made}: ${dateText(kit.madeAt)}`,
    `${say.kit.site}: ${location.origin}`, "",
    rule, kit.kit, rule, "",
    say.kit.how, "",
  ].join("\n");
}

/** After a first verified document: a gentle question, asked once a visit. */
export function askForSecondWay(app: App, then: string) {
  const open = dialog("kit-due", say.kit.dueTitle,
    h("p", {}, say.kit.dueText),
    h("div", { class: "actions" },
      button(say.kit.later, { id: "kit-later", class: "quiet" }, () => open.close()),
      button(say.kit.passkeyInstead, { id: "kit-passkey" }, () => {
        open.close();
        app.show(secondWayScreen(app, then));
      }),
      button(say.kit.dueNow, { id: "kit-now", class: "primary" }, () => {
        open.close();
        app.makeKit(then, true);
      })));
}
