// One matter: its documents beside its people.

import type { App, Screen } from "../app.ts";
import { fill, h } from "../dom.ts";
import type { Event, Id, MatterView } from "../engine.ts";
import { failureOf } from "../engine-client.ts";
import { name } from "../format.ts";
import { offer } from "../roles.ts";
import { roleArticle, say } from "../sentences.ts";
import { busy, button, dialog, field, form, problem, problemSlot } from "../ui.ts";
import { watch } from "../watch.ts";
import { documentsPanel } from "./documents.ts";
import { peoplePanel } from "./people.ts";

export function matterScreen(app: App, matter: Id): Screen {
  const body = h("section", { class: "page", "aria-busy": true }, h("h1", { tabindex: -1 }, say.loading));
  let show: ((view: MatterView) => void) | null = null;
  let asked = 0;

  const draw = (view: MatterView) => {
    if (!show) {
      show = layout(app, body, draw);
      show(view);
      body.querySelector("h1")?.focus();
    } else show(view);
  };
  // Only the newest answer counts: an older one that arrives late would show the past.
  const load = async () => {
    const mine = ++asked;
    try {
      const view = await app.engine.call("matterOpen", { matter });
      if (mine === asked) draw(view);
    } catch (thrown) {
      if (mine !== asked) return;
      show = null;
      fill(body, h("h1", { tabindex: -1 }, say.matter.closed), problem(failureOf(thrown)),
        h("div", { class: "actions start" }, button(say.tryAgain, {}, () => void load()), h("a", { class: "button quiet", href: "/" }, say.notFound.button)));
    } finally {
      body.removeAttribute("aria-busy");
    }
  };
  void load();
  watch(app, matter, body, () => void load());
  return { node: body, event: (event: Event) => void (event.event === "matter" && event.matter === matter && load()) };
}

function layout(app: App, body: HTMLElement, changed: (view: MatterView) => void): (view: MatterView) => void {
  const heading = h("h1", { tabindex: -1, class: "matter-title" });
  const facts = h("p", { class: "matter-line" });
  let view: MatterView | null = null;
  const rename = button(say.matter.rename, { id: "matter-rename", class: "link" }, () => view && renameDialog(app, view, changed));
  const documents = documentsPanel(app, changed);
  const people = peoplePanel(app, changed);
  fill(body,
    h("p", { class: "crumb" }, h("a", { href: "/" }, say.matter.back)),
    h("div", { class: "matter-head" }, heading, facts),
    h("div", { class: "matter-columns" }, documents.node, people.node));
  return (next) => {
    view = next;
    fill(heading, name(next.name));
    fill(facts, name(next.firmName), h("span", {}, say.matter.yourRole + roleArticle[next.myRole]), offer(next.myRole).people && rename);
    documents.show(next);
    people.show(next);
  };
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
