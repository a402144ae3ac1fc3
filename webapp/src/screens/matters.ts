// All matters of this person, and the way to a new one.

import type { App, Screen } from "../app.ts";
import { fill, h, keyedList, type Row } from "../dom.ts";
import type { Event, MatterSummary, Overview } from "../engine.ts";
import { failureOf } from "../engine-client.ts";
import { date, name } from "../format.ts";
import { roleName, say } from "../sentences.ts";
import { busy, button, dialog, field, form, problem, problemSlot } from "../ui.ts";

export function mattersScreen(app: App): Screen {
  const body = h("div", { "aria-busy": true }, h("p", { role: "status" }, say.loading));
  const create = button(say.matters.create, { id: "matter-new", class: "primary", hidden: true }, () => overview && openDialog(app, overview, null));
  let overview: Overview | null = null;
  let show: ((o: Overview) => void) | null = null;

  const load = async () => {
    try {
      overview = await app.refresh();
      create.hidden = !overview.firms.some((firm) => firm.mayCreateMatters);
      show ??= list(app, body);
      show(overview);
    } catch (thrown) {
      show = null;
      fill(body, problem(failureOf(thrown)), button(say.tryAgain, {}, () => void load()));
    } finally {
      body.removeAttribute("aria-busy");
    }
  };
  void load();
  return {
    node: h("section", { class: "page" }, h("div", { class: "page-head" }, h("h1", { tabindex: -1 }, say.matters.title), create), body),
    event: (event: Event) => void (event.event === "matter" && load()),
  };
}

function list(app: App, body: HTMLElement): (overview: Overview) => void {
  const banner = h("div", {});
  const filter = h("input", { id: "matters-filter", type: "search", class: "filter", placeholder: say.matters.filter, "aria-label": say.matters.filter, autocomplete: "off", on: { input: () => draw() } });
  const rows = h("ul", { id: "matters", class: "matters" });
  const empty = h("div", { class: "empty" });
  const show = keyedList(rows, (m: MatterSummary) => m.matter, matterRow);
  let overview: Overview | null = null;
  fill(body, banner, filter, rows, empty);

  const draw = () => {
    if (!overview) return;
    const wanted = filter.value.trim().toLocaleLowerCase();
    const shown = overview.matters.filter((m) => m.name.toLocaleLowerCase().includes(wanted)).sort((a, b) => b.changedAt - a.changedAt);
    show(shown);
    filter.hidden = overview.matters.length < 6;
    empty.hidden = shown.length > 0;
    if (shown.length === 0) fill(empty, ...emptyState(overview));
  };
  return (next) => {
    overview = next;
    fill(banner, next.ways < 2 && next.matters.length > 0 && wayBanner(app));
    draw();
  };
}

function emptyState(overview: Overview): HTMLElement[] {
  if (overview.matters.length > 0) return [h("p", {}, say.matters.noMatch)];
  const mayCreate = overview.firms.some((firm) => firm.mayCreateMatters);
  return [h("h2", {}, say.matters.emptyTitle), h("p", {}, mayCreate ? say.matters.emptyOwner : say.matters.emptyGuest)];
}

function wayBanner(app: App): HTMLElement {
  return h("section", { id: "way-banner", class: "notice", "aria-label": say.matters.wayLabel }, h("p", {}, say.matters.wayBanner),
    button(say.matters.wayButton, { id: "way-make" }, () => app.secondWay("/")));
}

function matterRow(first: MatterSummary): Row<MatterSummary> {
  const node = h("li", {});
  const update = (m: MatterSummary) => {
    const title = name(m.name, "matter-name");
    const facts = h("span", { class: "matter-facts" },
      m.myRole !== "" && h("span", {}, roleName[m.myRole]),
      h("span", {}, say.matters.documents(m.documents)),
      h("span", {}, say.matters.people(m.people)),
      h("span", {}, say.matters.changed, date(m.changedAt)));
    const link = { class: "matter-card", href: "/m/" + m.matter, "data-matter": m.matter, "data-state": m.state };
    if (m.state === "review") {
      const checks = h("span", { class: "matter-facts" }, h("span", {}, roleName.reviewer), h("span", { class: "badge" }, say.matters.review));
      return fill(node, h("a", { ...link, href: link.href + "/verify" }, title, checks));
    }
    if (m.state === "open") return fill(node, h("a", link, title, facts));
    const badge = h("span", { class: "badge" }, say.matters[m.state]);
    fill(node, m.state === "removed" ? h("div", { ...link, class: "matter-card closed", href: null }, title, badge) : h("a", link, title, h("span", {}, badge)));
  };
  update(first);
  return { node, update };
}

/** What is asked for, kept while a second way to unlock is made. */
interface Asked {
  name: string;
  firm: string;
}

function openDialog(app: App, overview: Overview, asked: Asked | null) {
  const firms = overview.firms.filter((firm) => firm.mayCreateMatters);
  const slot = problemSlot();
  const title = h("input", { id: "matter-name", required: true, maxlength: 200, value: asked?.name ?? "", autocomplete: "off", spellcheck: "false" });
  const firm = h("select", { id: "matter-firm" }, firms.map((f) => h("option", { value: f.firm, selected: f.firm === asked?.firm }, f.name)));
  const create = h("button", { id: "matter-create", class: "primary", type: "submit" }, say.matters.button);
  const submit = () => void busy(create, slot, async () => {
    const next = { firm: firm.value, name: title.value.trim() };
    try {
      const { matter } = await app.engine.call("matterCreate", next);
      open.close();
      app.go("/m/" + matter);
    } catch (thrown) {
      if (failureOf(thrown).code !== "second-way") throw thrown;
      app.secondWay("/", () => openDialog(app, overview, next));
    }
  });
  const open = dialog("matter-dialog", say.matters.dialogTitle, form({}, submit,
    field(say.matters.name, title, say.matters.nameHint),
    firms.length > 1 && field(say.matters.firm, firm),
    slot.node,
    h("div", { class: "actions" }, button(say.cancel, { class: "quiet" }, () => open.close()), create)));
  title.focus();
}
