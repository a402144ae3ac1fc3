// One document: who made it, its versions, and what may be done with it.

import type { App, Changed } from "../app.ts";
import { fill, h } from "../dom.ts";
import type { DocumentView, Id, MatterView, Version } from "../engine.ts";
import { allFolders, cleanFolder } from "../folders.ts";
import { dateTime, kind, name, size } from "../format.ts";
import { offer } from "../roles.ts";
import { kindOfDocument, say } from "../sentences.ts";
import { allNames, ask, busy, button, dialog, field, focusHeading, form, problemSlot, type Dialog, type ProblemSlot } from "../ui.ts";

const t = say.documents;

interface DocumentActions {
  changed: Changed;
  download(version?: Id): Promise<void>;
}

export function documentDialog(app: App, view: MatterView, id: Id, act: DocumentActions) {
  const document = view.documents.find((d) => d.document === id);
  if (!document) return;
  const may = offer(view.myRole);
  const slot = problemSlot();
  const open = dialog("document-dialog", "",
    facts(document),
    may.read && !document.deleted && downloadButton(act, slot),
    slot.node,
    h("h3", {}, t.versions),
    h("ol", { id: "versions", class: "versions" }, document.versions.map((version) => versionRow(version, document, may.read, act, slot))),
    !document.deleted && tools(app, view, document, act, () => open));
  open.node.classList.add("drawer");
  const title = open.node.querySelector("h2");
  if (title) fill(title, name(document.name));
}

function facts(d: DocumentView): HTMLElement {
  const fact = (term: string, value: Node | string) => [h("dt", {}, term), h("dd", {}, value)];
  const first = d.versions[d.versions.length - 1];
  return h("dl", { class: "facts" },
    d.folder !== "" && fact(t.folder, name(d.folder)),
    fact(t.size, size(d.size)),
    fact(t.kind, kindOfDocument[kind(d.name)] ?? kind(d.name)),
    first ? fact(t.addedBy.trim(), h("span", {}, name(first.author), h("br"), dateTime(first.at))) : null,
    fact(t.lastChange.trim(), h("span", {}, name(d.changedBy), h("br"), dateTime(d.changedAt))),
    d.deleted && fact(t.deletedBy.trim(), h("span", {}, name(d.deleted.by), h("br"), dateTime(d.deleted.at))));
}

function downloadButton(act: DocumentActions, slot: ProblemSlot): HTMLElement {
  const go = button(t.download, { id: "document-download", class: "primary" }, () => void busy(go, slot, () => act.download()));
  return h("div", { class: "actions start" }, go);
}

function versionRow(version: Version, document: DocumentView, readable: boolean, act: DocumentActions, slot: ProblemSlot): HTMLElement {
  const current = version.version === document.version;
  const get = button(t.download, { class: "small", "data-action": "download-version" }, () => void busy(get, slot, () => act.download(version.version)));
  return h("li", { "data-version": version.version },
    h("span", {}, dateTime(version.at), t.by, name(version.author)),
    h("span", { class: "hint" }, size(version.size), current && " \u00b7 " + t.current),
    readable && !document.deleted && !current && get);
}

function tools(app: App, view: MatterView, document: DocumentView, act: DocumentActions, open: () => Dialog): HTMLElement {
  const may = offer(view.myRole);
  const then = (work: () => void) => () => (open().close(), work());
  const slot = problemSlot();
  const input = h("input", { id: "version-input", type: "file", class: "visually-hidden", tabindex: -1, "aria-label": t.replace, on: { change: () => void busy(replace, slot, replaceIt) } });
  const replace = button(t.replace, { "data-action": "replace" }, () => input.click());
  const replaceIt = async () => {
    const file = input.files?.[0];
    if (!file) return;
    await app.engine.call("uploadVersion", { matter: view.matter, document: document.document, file });
    open().close();
  };
  return h("div", { class: "tools" }, slot.node, h("div", { class: "actions start" },
    may.add && [replace, input],
    may.arrange && [
      button(t.rename, { "data-action": "rename" }, then(() => renameDialog(app, view, document, act.changed))),
      button(t.move, { "data-action": "move" }, then(() => moveDialog(app, view, [document], act.changed))),
      button(t.remove, { "data-action": "delete" }, then(() => askDelete(app, view, [document], act.changed))),
    ]));
}

function renameDialog(app: App, view: MatterView, document: DocumentView, changed: Changed) {
  const slot = problemSlot();
  const input = h("input", { id: "document-name", required: true, maxlength: 255, value: document.name, autocomplete: "off", spellcheck: "false" });
  const save = h("button", { id: "document-rename", class: "primary", type: "submit" }, t.rename);
  const submit = () => void busy(save, slot, async () => {
    changed(await app.engine.call("documentRename", { matter: view.matter, document: document.document, name: input.value.trim() }));
    open.close();
  });
  const open = dialog("rename-dialog", t.renameTitle, form({}, submit,
    field(t.newName, input), slot.node,
    h("div", { class: "actions" }, button(say.cancel, { class: "quiet" }, () => open.close()), save)));
  input.focus();
  input.setSelectionRange(0, document.name.lastIndexOf(".") > 0 ? document.name.lastIndexOf(".") : document.name.length);
}

export function moveDialog(app: App, view: MatterView, documents: readonly DocumentView[], changed: Changed) {
  const slot = problemSlot();
  const input = h("input", { id: "move-folder", list: "folders", maxlength: 1000, autocomplete: "off", spellcheck: "false", value: documents[0]?.folder ?? "" });
  const save = h("button", { id: "document-move", class: "primary", type: "submit" }, t.move);
  const submit = () => void busy(save, slot, async () => {
    changed(await app.engine.call("documentMove", { matter: view.matter, documents: documents.map((d) => d.document), folder: cleanFolder(input.value) }));
    open.close();
  });
  const open = dialog("move-dialog", t.moveTitle(documents.length), form({}, submit,
    field(t.moveLabel, input, t.moveHint),
    h("datalist", { id: "folders" }, allFolders(view.documents).map((folder) => h("option", { value: folder }))),
    slot.node,
    h("div", { class: "actions" }, button(say.cancel, { class: "quiet" }, () => open.close()), save)));
  input.select();
}

export function askDelete(app: App, view: MatterView, documents: readonly DocumentView[], changed: Changed) {
  const next = neighbour(documents);
  ask({
    title: t.deleteTitle(documents.length),
    text: t.deleteText,
    extra: allNames(documents.map((d) => d.name)),
    yes: t.deleteButton,
    danger: true,
    act: async () => changed(await app.engine.call("documentDelete", { matter: view.matter, documents: documents.map((d) => d.document) })),
    after: () => {
      if (next?.isConnected) next.querySelector<HTMLElement>("button.title")?.focus();
      else focusHeading();
    },
  });
}

// The row that moves up into the place of the last of these, or the one before them.
function neighbour(documents: readonly DocumentView[]): HTMLElement | undefined {
  const gone = new Set(documents.map((d) => d.document));
  const rows = [...document.querySelectorAll<HTMLElement>("#documents tbody tr")];
  const stays = (row: HTMLElement) => !gone.has(row.dataset["document"] ?? "");
  const last = rows.findLastIndex((row) => !stays(row));
  return rows.slice(last + 1).find(stays) ?? rows.slice(0, Math.max(0, last)).findLast(stays);
}
