// The documents of a matter: folders, search, sorting, adding by drop or button, and what may be done with each.

import type { App, Changed } from "../app.ts";
import { drawing, fill, h, keyedList, type Row } from "../dom.ts";
import { fromDrop, fromInput, type DroppedFile } from "../dropped.ts";
import type { DocumentView, Id, MatterView } from "../engine.ts";
import { failureOf } from "../engine-client.ts";
import { listing, type Folder, type Listing, type Place, type Sort } from "../folders.ts";
import { count, date, kind, name, size, visible } from "../format.ts";
import { offer } from "../roles.ts";
import { say } from "../sentences.ts";
import { allNames, announce, button, dialog, problemSlot } from "../ui.ts";
import { askDelete, documentDialog, moveDialog } from "./document.ts";

const t = say.documents;

type Item = { folder: Folder } | { document: DocumentView };

export interface Panel {
  node: HTMLElement;
  show(view: MatterView): void;
}

export function documentsPanel(app: App, changed: Changed): Panel {
  const place: Place = { folder: "", filter: "", deleted: false, sort: { by: "name", down: false } };
  const selected = new Set<Id>();
  const slot = problemSlot();
  let view: MatterView | null = null;
  let shown: Listing = { folders: [], documents: [] };

  const draw = () => {
    if (!view) return;
    leaveEmptyFolder(view, place);
    shown = listing(view.documents, place);
    for (const id of selected) if (!shown.documents.some((d) => d.document === id)) selected.delete(id);
    toolbar.show(view, place);
    table.show(view, place, shown, selected);
    gone.hidden = !place.deleted;
    bulk.show(selected.size, view);
  };
  const open = (folder: string) => {
    place.folder = folder;
    selected.clear();
    draw();
  };
  const add = (files: DroppedFile[]) => void addFiles(app, view, place, files, slot).catch((thrown: unknown) => slot.show(failureOf(thrown)));
  const download = (ids: readonly Id[]) => void downloadAll(app, view, ids).catch((thrown: unknown) => slot.show(failureOf(thrown)));
  const details = (id: Id) => view && documentDialog(app, view, id, { changed, download: (version) => startDownload(app, view?.matter ?? "", id, version) });
  const chosen = () => shown.documents.filter((d) => selected.has(d.document));

  const gone = h("p", { class: "hint", hidden: true }, t.deletedHint);
  const toolbar = makeToolbar(place, { add, draw, open });
  const bulk = bulkBar({
    download: () => download([...selected]),
    move: () => view && moveDialog(app, view, chosen(), changed),
    remove: () => view && askDelete(app, view, chosen(), changed),
    clear: () => (selected.clear(), draw()),
  });
  const table = makeTable({
    open, details, download: (id) => download([id]),
    select: (id, on) => (on ? selected.add(id) : selected.delete(id), draw()),
    selectAll: (on) => (selected.clear(), on && shown.documents.forEach((d) => selected.add(d.document)), draw()),
    sort: (by) => (Object.assign(place.sort, nextSort(place.sort, by)), draw()),
  });

  const node = h("section", { id: "drop", class: "documents", "aria-labelledby": "documents-title" },
    h("h2", { id: "documents-title", class: "visually-hidden" }, say.matter.documents),
    toolbar.node, gone, slot.node, bulk.node, table.node,
    h("p", { class: "drop-veil", "aria-hidden": "true" }, t.dropHere));
  acceptDrops(node, () => view !== null && offer(view.myRole).add && !place.deleted, (files) => (slot.clear(), add(files)));
  return { node, show: (next) => ((view = next), draw()) };
}

// Somebody may have moved the last document out of the folder that is open: then its nearest living parent is shown.
function leaveEmptyFolder(view: MatterView, place: Place) {
  const lives = (folder: string) => folder === "" || view.documents.some((d) => !d.deleted && (d.folder + "/").startsWith(folder + "/"));
  while (!lives(place.folder)) place.folder = place.folder.split("/").slice(0, -1).join("/");
}

function nextSort(sort: Sort, by: Sort["by"]): Sort {
  return sort.by === by ? { by, down: !sort.down } : { by, down: by === "changed" };
}

// ---- adding

function acceptDrops(node: HTMLElement, welcome: () => boolean, add: (files: DroppedFile[]) => void) {
  let depth = 0; // dragenter and dragleave also come from children
  const over = (now: number) => node.classList.toggle("dropping", (depth = now) > 0);
  const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") === true && welcome();
  node.addEventListener("dragenter", (event) => { if (hasFiles(event)) over(depth + 1); });
  node.addEventListener("dragleave", (event) => { if (hasFiles(event)) over(Math.max(0, depth - 1)); });
  node.addEventListener("dragover", (event) => { if (hasFiles(event)) event.preventDefault(); });
  node.addEventListener("drop", (event) => {
    over(0);
    if (!event.dataTransfer || !hasFiles(event)) return;
    event.preventDefault();
    void fromDrop(event.dataTransfer).then(add);
  });
}

async function addFiles(app: App, view: MatterView | null, place: Place, files: DroppedFile[], slot: ReturnType<typeof problemSlot>) {
  slot.clear();
  if (!view) return;
  if (files.length === 0) return fill(slot.node, h("div", { class: "problem", role: "alert" }, h("p", { class: "problem-what" }, t.nothingDropped), h("p", {}, t.nothingDroppedTodo)));
  const { matter } = view;
  const { folder } = place;
  const start = async (fresh: DroppedFile[], replacing: Clash[]) => {
    if (fresh.length > 0) await app.engine.call("upload", { matter, folder, files: fresh });
    for (const { document, file } of replacing) await app.engine.call("uploadVersion", { matter, document, file });
    announce(t.added(fresh.length + replacing.length));
  };
  const clashes = clashesOf(view, place, files);
  if (clashes.length === 0) return start(files, []);
  const replaced = new Set(clashes.map((clash) => clash.file));
  const guarded = (work: Promise<void>) => void work.catch((thrown: unknown) => slot.show(failureOf(thrown)));
  askAboutClashes(clashes,
    () => guarded(start(files.filter((f) => !replaced.has(f.file)), clashes)),
    () => guarded(start(files, [])));
}

interface Clash {
  document: Id;
  path: string;
  file: File;
}

function clashesOf(view: MatterView, place: Place, files: DroppedFile[]): Clash[] {
  const { folder } = place;
  const here = new Map(view.documents.filter((d) => !d.deleted).map((d) => [d.folder + "/" + d.name, d.document]));
  const prefix = folder === "" ? "" : folder + "/";
  const rank = new Map(listing(view.documents, place).documents.map((d, i) => [d.document, i]));
  const rankOf = (clash: Clash) => rank.get(clash.document) ?? rank.size; // below the folder that is open
  const found = files.flatMap(({ path, file }) => {
    const whole = prefix + path;
    const document = here.get(whole.includes("/") ? whole : "/" + whole);
    return document === undefined ? [] : [{ document, path, file }];
  });
  return found.sort((a, b) => rankOf(a) - rankOf(b));
}

function askAboutClashes(clashes: Clash[], version: () => void, both: () => void) {
  const choose = (work: () => void) => () => (open.close(), work());
  const primary = button(t.clashVersion(clashes.length), { id: "clash-version", class: "primary" }, choose(version));
  const open = dialog("clash", t.clashTitle(clashes.length),
    allNames(clashes.map((clash) => clash.path)),
    h("p", {}, t.clashText(clashes.length)),
    h("div", { class: "actions" },
      button(say.cancel, { id: "clash-cancel", class: "quiet" }, () => open.close()),
      button(t.clashBoth, { id: "clash-both" }, choose(both)),
      primary));
  primary.focus();
}

// ---- downloading

async function downloadAll(app: App, view: MatterView | null, ids: readonly Id[]) {
  for (const id of ids) await startDownload(app, view?.matter ?? "", id);
}

async function startDownload(app: App, matter: Id, document: Id, version?: Id) {
  const { transfer } = await app.engine.call("download", { matter, document, ...(version === undefined ? {} : { version }) });
  app.transfers.save(transfer);
}

// ---- toolbar

interface ToolbarActions {
  add(files: DroppedFile[]): void;
  draw(): void;
  open(folder: string): void;
}

function makeToolbar(place: Place, act: ToolbarActions) {
  const chosen = (input: HTMLInputElement) => {
    const files = fromInput(input.files);
    input.value = ""; // so that the same file can be chosen again
    if (files.length > 0) act.add(files);
  };
  const fileInput = h("input", { id: "file-input", type: "file", multiple: true, class: "visually-hidden", tabindex: -1, "aria-label": t.add, on: { change: () => chosen(fileInput) } });
  const folderInput = h("input", { id: "folder-input", type: "file", multiple: true, webkitdirectory: true, class: "visually-hidden", tabindex: -1, "aria-label": t.addFolder, on: { change: () => chosen(folderInput) } });
  const adding = h("div", { class: "adding" },
    button(t.add, { id: "add-files", class: "primary" }, () => fileInput.click()), fileInput,
    button(t.addFolder, { id: "add-folder" }, () => folderInput.click()), folderInput,
    h("span", { class: "hint drop-hint" }, t.dropHint));
  const filter = h("input", { id: "filter", type: "search", class: "filter", placeholder: t.filter, "aria-label": t.filter, autocomplete: "off", spellcheck: "false", on: { input: () => ((place.filter = filter.value), act.draw()) } });
  const deleted = button("", { id: "show-deleted", class: "link" }, () => ((place.deleted = !place.deleted), act.draw()));
  const crumbs = h("nav", { class: "crumbs", "aria-label": t.path });
  return {
    node: h("div", { class: "toolbar" }, adding, h("div", { class: "finding" }, filter, deleted), crumbs),
    show(view: MatterView, at: Place) {
      const gone = view.documents.filter((d) => d.deleted).length;
      adding.hidden = !offer(view.myRole).add || at.deleted;
      deleted.textContent = at.deleted ? t.backToCurrent : t.showDeleted(gone);
      deleted.hidden = gone === 0 && !at.deleted;
      filter.hidden = view.documents.length === 0;
      crumbs.hidden = at.folder === "" || at.deleted || at.filter.trim() !== "";
      fill(crumbs, crumbList(at.folder, act.open));
    },
  };
}

function crumbList(folder: string, open: (folder: string) => void): HTMLElement {
  const steps = folder.split("/");
  return h("ol", {},
    h("li", {}, button(t.top, { class: "link", "data-folder": "" }, () => open(""))),
    steps.map((step, i) => {
      const path = steps.slice(0, i + 1).join("/");
      return h("li", {}, i === steps.length - 1 ? h("span", { "aria-current": "true" }, name(step)) : button(name(step), { class: "link" }, () => open(path)));
    }));
}

function bulkBar(act: { download(): void; move(): void; remove(): void; clear(): void }) {
  const label = h("span", { class: "bulk-count" });
  const download = button(t.download, { id: "bulk-download", class: "small" }, act.download);
  const move = button(t.move, { id: "bulk-move", class: "small" }, act.move);
  const remove = button(t.remove, { id: "bulk-delete", class: "small" }, act.remove);
  const node = h("div", { class: "bulk", role: "toolbar", "aria-label": t.select, hidden: true }, label, download, move, remove, button(t.clear, { id: "bulk-clear", class: "link" }, act.clear));
  return {
    node,
    show(n: number, view: MatterView) {
      node.hidden = n === 0;
      label.textContent = t.selected(n);
      download.hidden = !offer(view.myRole).read;
      move.hidden = remove.hidden = !offer(view.myRole).arrange;
    },
  };
}

// ---- the list itself

interface TableActions {
  open(folder: string): void;
  details(id: Id): void;
  download(id: Id): void;
  select(id: Id, on: boolean): void;
  selectAll(on: boolean): void;
  sort(by: Sort["by"]): void;
}

const rowsAtOnce = 120; // more follow as the reader nears the end: a thousand rows at once take half a second to lay out

// Roles are spelled out because rows are laid out as grids, and a browser may then forget that this is a table.
function makeTable(act: TableActions) {
  const all = h("input", { id: "select-all", type: "checkbox", "aria-label": t.selectAll, on: { change: () => act.selectAll(all.checked) } });
  const sortable = (by: Sort["by"], label: string) => h("th", { role: "columnheader", scope: "col", class: "cell-" + by }, button(label, { class: "sort", "data-sort": by }, () => act.sort(by)));
  const heads = [sortable("name", t.name), sortable("size", t.size), sortable("changed", t.changed)];
  const body = h("tbody", { role: "rowgroup" });
  const table = h("table", { id: "documents", role: "table", "aria-labelledby": "documents-title" },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row", class: "row head" },
      h("th", { role: "columnheader", scope: "col", class: "cell-select" }, h("span", { class: "visually-hidden" }, t.select), all), heads,
      h("th", { role: "columnheader", scope: "col", class: "cell-actions" }, h("span", { class: "visually-hidden" }, t.actions)))),
    body);
  const empty = h("div", { class: "empty" });
  let readable = true;
  let flat = false;
  const more = button("", { id: "show-more", class: "quiet" }, () => ((limit += rowsAtOnce), drawRows()));
  let items: Item[] = [];
  let limit = rowsAtOnce;
  let shownPlace = "";
  let chosen: ReadonlySet<Id> = new Set();
  const rows = keyedList<Item>(body, keyOf, (item) => ("folder" in item ? folderRow(item.folder) : documentRow(item.document, () => ({ readable, flat }))));

  const drawRows = () => {
    rows(items.slice(0, limit));
    for (const box of body.querySelectorAll<HTMLInputElement>("input[type=checkbox]")) box.checked = chosen.has(box.value);
    more.hidden = items.length <= limit;
    more.textContent = t.showMore(items.length - limit);
  };
  new IntersectionObserver(([end]) => { if (end?.isIntersecting) more.click(); }, { rootMargin: "800px" }).observe(more);
  body.addEventListener("click", (event) => route(event, act));
  body.addEventListener("change", (event) => {
    const id = rowOf(event)?.dataset["document"];
    if (id !== undefined && event.target instanceof HTMLInputElement) act.select(id, event.target.checked);
  });
  return {
    node: h("div", { class: "listing" }, table, more, empty),
    show(view: MatterView, place: Place, { folders, documents }: Listing, selected: ReadonlySet<Id>) {
      readable = offer(view.myRole).read;
      table.classList.toggle("look-only", !readable); // nothing could be done with what is selected
      flat = place.filter.trim() !== "" || place.deleted;
      items = [...folders.map((folder) => ({ folder })), ...documents.map((document) => ({ document }))];
      chosen = selected;
      if (shownPlace !== JSON.stringify(place)) limit = rowsAtOnce;
      shownPlace = JSON.stringify(place);
      drawRows();
      table.setAttribute("aria-rowcount", String(items.length + 1));
      all.checked = selected.size > 0 && selected.size === documents.length;
      all.indeterminate = selected.size > 0 && !all.checked;
      for (const head of heads) showSort(head, place.sort);
      table.hidden = folders.length + documents.length === 0;
      table.classList.toggle("deleted", place.deleted);
      empty.hidden = !table.hidden;
      if (table.hidden) fill(empty, emptyText(view, place));
    },
  };
}

function keyOf(item: Item): string {
  return "folder" in item ? "/" + item.folder.path : item.document.document;
}

function showSort(head: HTMLElement, sort: Sort) {
  if (!head.classList.contains("cell-" + sort.by)) head.removeAttribute("aria-sort");
  else head.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
}

function rowOf(event: Event): HTMLElement | null {
  return event.target instanceof Element ? event.target.closest<HTMLElement>("tr") : null;
}

// One listener for all rows: a thousand documents are a thousand rows, not four thousand closures.
function route(event: MouseEvent, act: TableActions) {
  const action = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-action]")?.dataset["action"] : undefined;
  const row = rowOf(event);
  const folder = row?.dataset["folder"];
  const id = row?.dataset["document"];
  if (action === "open-folder" && folder !== undefined) act.open(folder);
  else if (action === "details" && id !== undefined) act.details(id);
  else if (action === "download" && id !== undefined) act.download(id);
}

function emptyText(view: MatterView, place: Place): HTMLElement[] {
  if (place.deleted) return [h("p", {}, t.noneDeleted)];
  if (place.filter.trim() !== "") return [h("p", {}, t.noMatch)];
  if (place.folder !== "") return [h("p", {}, t.emptyFolder)];
  return [h("h3", {}, t.emptyTitle), h("p", {}, offer(view.myRole).add ? t.empty : t.emptyRead)];
}

function folderRow(first: Folder): Row<Item> {
  const items = h("span", { class: "hint" });
  const node = h("tr", { role: "row", class: "row folder", "data-folder": first.path },
    h("td", { role: "cell", class: "cell-select" }),
    h("td", { role: "cell", class: "cell-name" },
      h("span", { class: "kind" }, drawing("icon", "0 0 16 16", "M1.500 4.500v8h13v-7h-6.500l-1.500-2h-5z")),
      h("button", { type: "button", class: "title", "data-action": "open-folder" }, name(first.name))),
    h("td", { role: "cell", class: "cell-size" }),
    h("td", { role: "cell", class: "cell-changed" }, items),
    h("td", { role: "cell", class: "cell-actions" }));
  const update = (item: Item) => {
    if ("folder" in item) items.textContent = t.folderItems(item.folder.documents);
  };
  update({ folder: first });
  return { node, update };
}

function documentRow(first: DocumentView, mode: () => { readable: boolean; flat: boolean }): Row<Item> {
  const node = h("tr", { role: "row", class: "row", "data-document": first.document });
  let drawn = "";
  const update = (item: Item) => {
    if (!("document" in item)) return;
    const now = JSON.stringify([item.document, mode()]);
    if (now === drawn) return;
    drawn = now;
    fill(node, ...documentCells(item.document, mode()));
  };
  update({ document: first });
  return { node, update };
}

function documentCells(d: DocumentView, mode: { readable: boolean; flat: boolean }): HTMLElement[] {
  const label = visible(d.name);
  return [
    h("td", { role: "cell", class: "cell-select" }, !d.deleted && h("input", { type: "checkbox", value: d.document, "aria-label": t.selectOne(label) })),
    h("td", { role: "cell", class: "cell-name" },
      h("span", { class: "kind", "aria-hidden": "true" }, kind(d.name)),
      h("button", { type: "button", class: "title", "data-action": "details", title: label }, name(d.name)),
      mode.flat && d.folder !== "" && h("span", { class: "hint where" }, name(d.folder)),
      d.versions.length > 1 && h("span", { class: "badge" }, "v" + count(d.versions.length))),
    h("td", { role: "cell", class: "cell-size" }, size(d.size)),
    h("td", { role: "cell", class: "cell-changed" },
      d.deleted ? [date(d.deleted.at), h("span", { class: "who" }, t.deletedBy, name(d.deleted.by))] : [date(d.changedAt), h("span", { class: "who" }, t.by, name(d.changedBy))]),
    h("td", { role: "cell", class: "cell-actions" },
      !d.deleted && mode.readable && h("button", { type: "button", class: "small", "data-action": "download", "aria-label": t.downloadOne(label) }, t.download),
      h("button", { type: "button", class: "small quiet dots", "data-action": "details", "aria-label": t.moreOne(label) }, drawing("icon", "0 0 16 16", "M3 8h.01M8 8h.01M13 8h.01"))),
  ];
}
