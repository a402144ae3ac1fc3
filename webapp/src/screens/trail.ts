// The trail, for auditors and owners: who opened what, what the server noted, and whether the two fit.

import type { App } from "../app.ts";
import { tallyChart } from "../chart.ts";
import { fill, h, type Child } from "../dom.ts";
import type { Event, MatterView, TrailItem, TrailKind } from "../engine.ts";
import { failureOf } from "../engine-client.ts";
import { dateTime, dayStart, name, visible } from "../format.ts";
import { offer } from "../roles.ts";
import { saveText } from "../savefile.ts";
import { ruleName, say, trailKind } from "../sentences.ts";
import { announce, ask, busy, button, field, problem, problemSlot } from "../ui.ts";
import { options } from "./activity.ts";
import type { MatterPart } from "./matter.ts";
import { askProof } from "./verify.ts";

const t = say.trail;
const firstLoad = 500;
const rowsAtOnce = 150;
const erasedKind = "erased"; // stands among the kinds in the filter

export function trailPart(app: App, view: MatterView): MatterPart {
  const { matter } = view;
  const slot = problemSlot();
  const filters = makeFilters(() => ((limit = rowsAtOnce), draw()));
  const chart = tallyChart("trail-chart", t.chart);
  const table = makeTable();
  const state = h("div", {}, h("p", { role: "status" }, say.loading));
  const told = h("p", { id: "trail-told", class: "notice", role: "status", hidden: true });
  const tell = (text: string) => {
    told.textContent = text;
    told.hidden = false;
  };
  const tools = exports(app, view, slot, (n) => (tell(t.erased(n)), begin()));
  const shownCount = h("p", { id: "trail-count", class: "hint", role: "status" });
  const progress = h("progress", { "aria-label": t.loading, hidden: true });
  const showMore = button("", { id: "trail-show-more", hidden: true }, () => ((limit += rowsAtOnce), draw()));
  const all = button(t.all, { id: "trail-all", hidden: true }, () => void busy(all, slot, () => load(0)));
  const partial = h("p", { class: "hint", hidden: true }, t.loadedOnly);
  let items: TrailItem[] = [];
  let more = false;
  let everything = false;
  let limit = rowsAtOnce;

  const draw = () => {
    const shown = items.filter(filters.takes);
    chart.show(shown.filter((item) => item.erased === "").map((item) => ({ at: item.at, who: whoText(item) })));
    table.show(shown.slice(0, limit));
    table.node.hidden = shown.length === 0;
    filters.node.hidden = items.length === 0;
    filters.mark();
    tools.erase.hidden = items.length === 0;
    showMore.hidden = shown.length <= limit;
    showMore.textContent = say.documents.showMore(shown.length - limit);
    all.hidden = partial.hidden = !more;
    shownCount.textContent = items.length === 0 ? "" : t.shown(shown.length, items.length);
    if (items.length === 0) fill(state, h("div", { class: "empty" }, h("h3", {}, t.empty), h("p", {}, t.emptyText)));
    else fill(state, shown.length === 0 && h("p", { class: "empty" }, t.noMatch));
  };
  const load = async (n: number) => {
    progress.hidden = n !== 0;
    progress.removeAttribute("value");
    try {
      const got = await app.engine.call("trail", { matter, limit: n });
      ({ items, more } = got);
      everything = n === 0;
      filters.offer(items);
      draw();
    } finally {
      progress.hidden = true;
    }
  };
  const begin = () => void load(everything ? 0 : firstLoad).catch((thrown: unknown) =>
    fill(state, problem(failureOf(thrown)), h("div", { class: "actions start" }, button(say.tryAgain, {}, begin))));
  begin();
  return {
    node: h("section", { class: "part", "aria-labelledby": "trail-title" },
      h("div", { class: "part-head" }, h("h2", { id: "trail-title" }, t.title), tools.node),
      h("p", { class: "hint part-lead" }, t.lead),
      slot.node, told, filters.node, chart.node, shownCount, table.node, state,
      h("div", { class: "actions start" }, showMore, all, partial), progress),
    event: (event: Event) => {
      if (event.event === "matter" && event.matter === matter) begin();
      if (event.event === "trail" && event.matter === matter && event.total > 0) {
        progress.max = event.total;
        progress.value = event.done;
      }
    },
  };
}

// ---- what leaves, and what goes

function exports(app: App, view: MatterView, slot: ReturnType<typeof problemSlot>, erased: (n: number) => void): { node: HTMLElement; erase: HTMLElement } {
  const { matter } = view;
  const csv = button(t.csv, { id: "trail-csv", class: "small", title: t.csvHint }, () => void busy(csv, slot, async () => {
    const file = await app.engine.call("exportTrail", { matter });
    saveText(file.name, file.text);
    announce(say.verify.saved(file.name));
  }));
  const proof = button(t.proof, { id: "trail-proof", class: "small" }, () => askProof(app, matter, true, (file) => announce(say.verify.saved(file))));
  const erase = button(t.erase, { id: "trail-erase", class: "small", hidden: true }, () => askErase(app, view, erased));
  return { node: h("div", { class: "actions" }, csv, proof, offer(view.myRole).erase && erase), erase };
}

const ages = [30, 90, 180, 365, 730, 1825];

function askErase(app: App, view: MatterView, erased: (n: number) => void) {
  const goes = h("p", {});
  const days = h("select", { id: "erase-days", on: { change: () => explain() } }, ages.map((n) => h("option", { value: n, selected: n === 365 }, t.eraseDays(n))));
  const explain = () => (goes.textContent = t.eraseGoesText(t.eraseDays(Number(days.value))));
  explain();
  ask({
    title: t.eraseTitle,
    text: t.eraseText,
    extra: h("div", { class: "stack" },
      field(t.eraseAge, days),
      h("div", {}, h("h3", {}, t.eraseGoes), goes),
      h("div", {}, h("h3", {}, t.eraseStays), h("ul", { class: "bullets" }, t.eraseStaysList.map((text) => h("li", {}, text))))),
    yes: t.eraseYes,
    danger: true,
    act: async () => {
      const done = await app.engine.call("eraseTrail", { matter: view.matter, days: Number(days.value) });
      erased(done.erased);
    },
  });
}

// ---- filters

function makeFilters(changed: () => void) {
  const on = { change: changed };
  const who = h("select", { id: "trail-who", on });
  const what = h("select", { id: "trail-what", on });
  const document = h("select", { id: "trail-document", on });
  const from = h("input", { id: "trail-from", type: "date", on });
  const to = h("input", { id: "trail-to", type: "date", on });
  const clear = button(t.clear, { id: "trail-clear", class: "link" }, () => {
    for (const control of [who, what, document, from, to]) control.value = "";
    changed();
  });
  const wanted = (control: HTMLSelectElement, value: string) => control.value === "" || control.value === value;
  return {
    /** There is something to clear, or not. */
    mark: () => (clear.hidden = [who, what, document, from, to].every((control) => control.value === "")),
    node: h("div", { class: "filters", hidden: true }, field(t.who, who), field(t.what, what), field(t.document, document), field(t.from, from), field(t.to, to), clear),
    offer(items: readonly TrailItem[]) {
      options(who, say.activity.everybody, unique(items.map((item) => [whoKey(item), whoText(item)])));
      const there = new Set(items.map(kindOf));
      const kinds = (Object.keys(trailKind) as TrailKind[]).filter((kind) => there.has(kind)).map((kind) => [kind, trailKind[kind]] as const);
      options(what, say.activity.everything, there.has(erasedKind) ? [...kinds, [erasedKind, t.erasedKind]] : kinds);
      options(document, t.anyDocument, unique(items.map((item) => [item.documentId, visible(item.document || item.documentId)])));
    },
    takes: (item: TrailItem) => wanted(who, whoKey(item)) && wanted(what, kindOf(item)) && wanted(document, item.documentId) && item.at >= dayOf(from, 0, -Infinity) && item.at < dayOf(to, 1, Infinity),
  };
}

function unique(pairs: (readonly [string, string])[]): (readonly [string, string])[] {
  return [...new Map(pairs)].filter(([value]) => value !== "").sort(([, a], [, b]) => a.localeCompare(b));
}

// The field says a day without a zone: it is meant as the reader's own.
function dayOf(field: HTMLInputElement, days: number, none: number): number {
  const [year, month, day] = field.value.split("-").map(Number);
  return year && month && day ? dayStart(new Date(year, month - 1, day).getTime(), days) : none;
}

function kindOf(item: TrailItem): string {
  return item.erased === "" ? item.kind : erasedKind;
}

// Two people may have one name; a person whom the record does not name is known by the seat.
function whoKey(item: TrailItem): string {
  return item.person !== "" ? item.member : item.sequence;
}

function whoText(item: TrailItem): string {
  if (item.person !== "") return visible(item.person);
  return item.sequence === "server" ? say.chart.server : t.unknown;
}

// ---- the list

// Roles are spelled out because rows are laid out as grids, and a browser may then forget that this is a table.
function makeTable() {
  const head = (text: string) => h("th", { role: "columnheader", scope: "col" }, text);
  const body = h("tbody", { role: "rowgroup" });
  return {
    node: h("table", { id: "trail", class: "trail", role: "table", "aria-labelledby": "trail-title" },
      h("thead", { role: "rowgroup" }, h("tr", { role: "row", class: "trail-row head" }, [t.when, t.who, t.what, t.document, t.check].map(head))), body),
    show: (items: readonly TrailItem[]) => fill(body, items.map(row)),
  };
}

function row(item: TrailItem): HTMLElement {
  const cell = (label: string, className: string, ...content: Child[]) => h("td", { role: "cell", class: className, "data-label": label }, content);
  return h("tr", { role: "row", class: "trail-row", "data-sequence": item.sequence, "data-position": item.position, "data-kind": kindOf(item), "data-paired": item.paired === null ? null : String(item.paired) },
    cell(t.when, "trail-when", item.erased !== "" ? h("span", { class: "hint" }, t.erasedWhen) : dateTime(item.at)),
    cell(t.who, "trail-who", item.person === "" ? h("span", { class: "hint" }, whoText(item)) : name(item.person)),
    cell(t.what, "trail-what", whatCell(item)),
    cell(t.document, "trail-document", item.document !== "" && name(item.document)),
    cell(t.check, "trail-check", pairing(item)));
}

function whatCell(item: TrailItem): Child {
  if (item.erased !== "") return [trailKind[item.kind], h("span", { class: "hint block" }, t.erasedUnder(ruleName[item.erased]))];
  return [trailKind[item.kind], item.detail !== "" && h("span", { class: "hint block" }, visible(item.detail)), item.sequence === "server" && h("span", { class: "hint block" }, t.server)];
}

function pairing(item: TrailItem): Child {
  if (item.paired === null) return null;
  if (item.paired) return h("span", { class: "pair" }, "\u2713 " + (item.kind === "served" ? t.paired.served : t.paired.yes));
  return h("span", { class: item.kind === "served" ? "pair alone" : "pair none" }, item.kind === "served" ? t.paired.alone : t.paired.released);
}
