// One matter: its documents beside its people, what was done in it, who opened what, and its verification.

import type { App, Screen } from "../app.ts";
import { fill, h } from "../dom.ts";
import type { Event, Id, MatterView } from "../engine.ts";
import { failureOf } from "../engine-client.ts";
import { name } from "../format.ts";
import { offer } from "../roles.ts";
import { roleArticle, say } from "../sentences.ts";
import { teach } from "../teach.ts";
import { busy, button, dialog, field, form, problem, problemSlot } from "../ui.ts";
import { watch } from "../watch.ts";
import { activityPart } from "./activity.ts";
import { documentsPanel } from "./documents.ts";
import { newKeysBanner } from "./newkeys.ts";
import { peoplePanel } from "./people.ts";
import { trailPart } from "./trail.ts";
import { verifyPart } from "./verify.ts";
import { waiting } from "./waiting.ts";

const parts = ["documents", "activity", "trail", "verify"] as const;

export type Part = (typeof parts)[number];

/** A part of the matter, as it is shown below the matter's name. */
export interface MatterPart {
  node: HTMLElement;
  show?(view: MatterView): void;
  event?(event: Event): void;
  leave?(): void;
}

export function isPart(text: string): text is Part {
  return parts.some((part) => part === text);
}

export function matterScreen(app: App, matter: Id, part: Part): Screen {
  const body = h("section", { class: "page", "aria-busy": true }, h("h1", { tabindex: -1 }, say.loading));
  let shown: { part: MatterPart; show(view: MatterView): void } | null = null;
  let asked = 0;
  let gone = false;

  const draw = (view: MatterView) => {
    if (!shown) {
      shown = layout(app, body, view, part, draw);
      shown.show(view);
      body.querySelector("h1")?.focus();
    } else shown.show(view);
  };
  // Only the newest answer counts: an older one that arrives late would show the past.
  const load = async () => {
    const mine = ++asked;
    const current = () => mine === asked && !gone;
    try {
      if (app.summary(matter)?.state === "review") return void (shown = reviewerLayout(app, body, matter));
      const view = await app.engine.call("matterOpen", { matter });
      if (current()) draw(view);
    } catch (thrown) {
      if (!current()) return;
      const failure = failureOf(thrown);
      shown?.part.leave?.();
      shown = null;
      if (failure.code === "review-only") {
        await app.refresh().catch(() => null); // it may be news that this seat is a reviewer's
        if (current() && app.summary(matter)?.state === "review") return void (shown = reviewerLayout(app, body, matter));
      }
      if (!current()) return;
      if (failure.code === "second-way") return app.secondWay("/m/" + matter, () => undefined);
      if (failure.code === "waiting") return void waiting(app, body, { firm: app.summary(matter)?.firm ?? null, inviter: null });
      fill(body, h("div", { class: "stack" }, h("h1", { tabindex: -1 }, say.matter.closed), problem(failure),
        h("div", { class: "actions start" }, button(say.tryAgain, {}, () => void load()), h("a", { class: "button quiet", href: "/" }, say.notFound.button))));
    } finally {
      body.removeAttribute("aria-busy");
    }
  };
  const reviewing = app.summary(matter)?.state === "review";
  void load();
  if (!reviewing) watch(app, matter, body, () => void (app.summary(matter)?.state !== "review" && load()));
  return {
    node: body,
    event: (event: Event) => {
      if (event.event === "matter" && event.matter === matter) void load();
      shown?.part.event?.(event);
    },
    leave: () => {
      gone = true;
      shown?.part.leave?.();
    },
  };
}

function layout(app: App, body: HTMLElement, first: MatterView, part: Part, changed: (view: MatterView) => void) {
  const heading = h("h1", { tabindex: -1, class: "matter-title" });
  const facts = h("p", { class: "matter-line" });
  let view = first;
  const rename = button(say.matter.rename, { id: "matter-rename", class: "link" }, () => renameDialog(app, view, changed));
  const content = contentOf(app, first, part, changed);
  const newKeys = newKeysBanner(app, changed);
  fill(body,
    h("p", { class: "crumb" }, h("a", { href: "/" }, say.matter.back)),
    h("div", { class: "matter-head" }, heading, facts),
    newKeys.node,
    tabs(first, part),
    content.node);
  return {
    part: content,
    show(next: MatterView) {
      view = next;
      fill(heading, name(next.name));
      fill(facts, name(next.firmName), h("span", {}, say.matter.yourRole + roleArticle[next.myRole]), offer(next.myRole).people && rename);
      newKeys.show(next);
      content.show?.(next);
    },
  };
}

function tabs(view: MatterView, current: Part): HTMLElement {
  const mine = parts.filter((part) => part !== "trail" || offer(view.myRole).trail);
  const path = (part: Part) => `/m/${view.matter}` + (part === "documents" ? "" : "/" + part);
  return h("nav", { class: "tabs", "aria-label": say.matter.parts }, mine.map((part) =>
    h("a", { id: "tab-" + part, href: path(part), "aria-current": part === current ? "page" : null }, say.matter[part])));
}

function contentOf(app: App, view: MatterView, part: Part, changed: (view: MatterView) => void): MatterPart {
  if (part === "activity") return activityPart(app, view.matter);
  if (part === "verify") return verifyPart(app, view.matter, view.firm, false);
  if (part === "trail") return offer(view.myRole).trail ? trailPart(app, view) : { node: problem({ code: "not-allowed", detail: "" }) };
  const documents = documentsPanel(app, changed);
  const people = peoplePanel(app, changed);
  const auditor = view.myRole === "auditor" && h("p", { class: "hint part-lead" }, say.matter.auditorLead);
  return {
    node: h("div", {}, auditor, teach(app, "who-sees-what", matchMedia("(max-width: 44rem)").matches), h("div", { class: "matter-columns" }, documents.node, people.node)),
    show: (next) => (documents.show(next), people.show(next)),
  };
}

// A reviewer opens nothing: the verification is the whole matter.
function reviewerLayout(app: App, body: HTMLElement, matter: Id) {
  const summary = app.summary(matter);
  const part = verifyPart(app, matter, summary?.firm ?? "", true);
  const heading = h("h1", { tabindex: -1, class: "matter-title" }, name(summary?.name ?? ""));
  fill(body,
    h("p", { class: "crumb" }, h("a", { href: "/" }, say.matter.back)),
    h("div", { class: "matter-head" }, heading, h("p", { class: "matter-line" }, say.verify.reviewerLead)),
    part.node);
  heading.focus();
  return { part, show: () => undefined };
}

function renameDialog(app: App, view: MatterView, changed: (view: MatterView) => void) {
  const slot = problemSlot();
  const input = h("input", { id: "matter-new-name", required: true, maxlength: 200, value: view.name, autocomplete: "off" });
  const save = h("button", { id: "matter-rename-save", class: "primary", type: "submit" }, say.save);
  const submit = () => void busy(save, slot, async () => {
    changed(await app.engine.call("matterRename", { matter: view.matter, name: input.value.trim() }));
    open.close();
  });
  const open = dialog("matter-rename-dialog", say.matter.renameTitle, form({}, submit,
    field(say.matter.name, input), slot.node,
    h("div", { class: "actions" }, button(say.cancel, { class: "quiet" }, () => open.close()), save)));
  input.select();
}
