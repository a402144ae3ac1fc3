// Verify this matter: the result in one sentence, then what was checked, against which root, by which witnesses.

import type { App } from "../app.ts";
import { fill, h, type Child } from "../dom.ts";
import type { Event, Id, Sequence, VerifyReport, Witness } from "../engine.ts";
import { failureOf } from "../engine-client.ts";
import { count, dateTime, name, seconds, shortDigest } from "../format.ts";
import { saveBase64, saveText } from "../savefile.ts";
import { ruleName, say } from "../sentences.ts";
import { announce, ask, busy, button, copyable, problem, problemSlot, tick } from "../ui.ts";
import type { MatterPart } from "./matter.ts";
import { sealedPicture } from "./picture.ts";

const t = say.verify;

export function verifyPart(app: App, matter: Id, firm: Id, reviewer: boolean): MatterPart {
  const result = h("div", { id: "verify", class: "stack" });
  const progress = progressView(() => void app.engine.call("cancelVerify", { matter }).catch(() => undefined)); // whatever it answers, the run itself says how it ended
  const again = button(t.again, { id: "verify-again", hidden: true }, () => void run());
  let running = false;

  const run = async () => {
    if (running) return;
    running = true;
    again.hidden = true;
    result.setAttribute("aria-busy", "true");
    progress.begin();
    fill(result, progress.node);
    try {
      const report = await app.engine.call("verifyMatter", { matter });
      fill(result, verdict(report), checks(report, reviewer), erasures(report), whole(report), takeAway(app, report, firm), offline(report.url));
      announce(t.good);
    } catch (thrown) {
      const failure = failureOf(thrown);
      if (failure.code === "cancelled") fill(result, h("p", { id: "verify-stopped", class: "notice", role: "status" }, t.stopped));
      else fill(result, h("h3", {}, t.notDone), problem(failure));
    } finally {
      running = false;
      result.removeAttribute("aria-busy");
      again.hidden = false;
    }
  };
  void run();
  return {
    node: h("section", { class: "part verify", "aria-labelledby": "verify-title" },
      h("div", { class: "part-head" }, h("h2", { id: "verify-title" }, t.title), again), result),
    event: (event: Event) => void (event.event === "verify" && event.matter === matter && progress.show(event.done, event.total, event.step)),
    leave: () => void (running && app.engine.call("cancelVerify", { matter }).catch(() => undefined)),
  };
}

function progressView(stop: () => void) {
  const step = h("p", { class: "step", role: "status" });
  const figure = h("p", { class: "hint figure" });
  const bar = h("progress", { "aria-label": t.running });
  return {
    node: h("div", { id: "verify-progress", class: "sheet running" }, h("h3", {}, t.running), step, bar, figure, h("div", { class: "actions start" }, button(t.stop, { id: "verify-stop" }, stop))),
    begin() {
      bar.removeAttribute("value");
      step.textContent = t.steps["log"] ?? t.step;
      figure.textContent = "";
    },
    show(done: number, total: number, name: string) {
      const says = t.steps[name] ?? t.step;
      if (step.textContent !== says) step.textContent = says; // said aloud only when it changes
      if (total > 0) {
        bar.max = total;
        bar.value = done;
      } else bar.removeAttribute("value");
      figure.textContent = total > 0 ? t.of(done, total) : "";
    },
  };
}

// ---- the result

function verdict(report: VerifyReport): HTMLElement {
  const vouching = report.witnesses.filter((w) => w.at !== null);
  return h("div", { id: "verify-result", class: "sheet verdict", "data-policy": report.policy },
    h("div", { class: "verdict-text" },
      h("p", { class: "verdict-what" }, t.good),
      h("p", {}, t.checkedOn, dateTime(report.at), t.against(report.size), report.policy === "met" && vouching.length > 0 && [t.vouched, listed(vouching)], "."),
      report.policy !== "met" && h("p", { class: "caution" }, report.policy === "none" ? t.noWitnesses : t.stale)),
    sealedPicture(report));
}

function listed(witnesses: readonly Witness[]): Child[] {
  return witnesses.map((w, i) => [i === 0 ? "" : i === witnesses.length - 1 ? t.and : ", ", name(w.name)]);
}

function checks(report: VerifyReport, reviewer: boolean): HTMLElement {
  const found = new Map(report.sequences.map((s) => [s.sequence, s]));
  const order: readonly Sequence[] = ["state", "trail", "server"];
  return h("section", { class: "stack" }, h("h3", {}, t.whatChecked), h("ol", { id: "verify-checks", class: "checks" },
    order.flatMap((sequence) => {
      const s = found.get(sequence);
      if (!s) return [];
      return [line("good", t.sequences[sequence].title, t.sequences[sequence].text, [t.figure[sequence](s.entries), s.erased > 0 && h("span", { class: "hint block" }, t.erasedOf(s.erased))])];
    }),
    replayed(report, reviewer),
    report.released !== null && report.served !== null && pairs(report, report.released, report.served),
    report.views > 0 ? line("good", t.views.title, t.views.text, t.views.figure(report.views)) : line("open", t.views.noneTitle, t.views.none, t.views.noneFigure),
    line("good", t.rootTitle.title, t.rootTitle.text, h("code", { id: "verify-root-short" }, shortDigest(report.root))),
    witnessLine(report)));
}

function line(kind: "good" | "open" | "look", title: string, text: string, figure: Child, extra: Child = null): HTMLElement {
  return h("li", { "data-check": kind }, tick(kind), h("div", { class: "check-text" }, h("h4", {}, title), h("p", { class: "hint" }, text), extra), h("div", { class: "figure" }, figure));
}

function replayed(report: VerifyReport, reviewer: boolean): HTMLElement {
  if (report.replayed) return line("good", t.replayed.title, t.replayed.text, t.replayed.figure);
  const why = reviewer ? t.notReplayed : t.notNewest;
  return line("open", why.title, why.text, why.figure);
}

// A release without a delivery has an innocent reason as a rule; a delivery without a release has none.
function pairs(report: VerifyReport, released: number, served: number): HTMLElement {
  const figure = t.pairs.figure(released, served);
  if (report.unpaired.length === 0) return line("good", t.pairs.title, t.pairs.text, figure);
  return line("look", t.unpairedTitle(report.unpaired.length), t.unpairedText, figure,
    h("ul", { id: "verify-unpaired", class: "unpaired" }, report.unpaired.map((u) =>
      h("li", { "data-kind": u.kind }, dateTime(u.at), " \u00b7 ", u.person !== "" && [name(u.person), ", "], name(u.document), ": ", t.unpaired[u.kind]))));
}

function witnessLine(report: VerifyReport): HTMLElement {
  const list = report.witnesses.length > 0 && h("ul", { id: "verify-witnesses", class: "unpaired" }, witnessItems(report.witnesses));
  if (report.policy === "none") return line("open", t.witnessed.none, t.noWitnesses, "");
  const vouching = report.witnesses.filter((w) => w.at !== null).length;
  return line(report.policy === "met" ? "good" : "open", t.witnessed.title, t.witnessed.text, report.policy === "met" ? t.witnessed.figure(vouching) : t.witnessed.stale, list);
}

export function witnessItems(witnesses: readonly Witness[]): HTMLElement[] {
  return witnesses.map((w) => h("li", {}, name(w.name), ": ", w.at === null ? t.never : [t.at, dateTime(w.at)]));
}

function erasures(report: VerifyReport): HTMLElement | false {
  if (report.erasures.length === 0) return false;
  const views = report.sequences.find((s) => s.sequence === "trail")?.entries ?? 0;
  const size = (from: number, to: number) => Math.min(to, views) - Math.min(from, views); // one may reach beyond the end
  return h("section", { id: "verify-erasures", class: "stack" }, h("h3", {}, t.erasures), h("ul", { class: "plain" }, report.erasures.map((e) =>
    h("li", {}, t.erasure(size(e.from, e.to), ruleName[e.rule]), name(e.by), t.erasureOn, dateTime(e.at), t.erasureEnd))));
}

function whole(report: VerifyReport): HTMLElement {
  const fact = (term: string, value: Child) => [h("dt", {}, term), h("dd", {}, value)];
  return h("details", { id: "verify-whole", class: "quiet-details" }, h("summary", {}, t.whole),
    h("dl", { class: "facts digests" },
      fact(t.wholeOf.root, copyable(report.root, "verify-root", t.wholeOf.root)),
      fact(t.wholeOf.size, count(report.size)),
      fact(t.wholeOf.origin, copyable(report.origin, "verify-origin", t.wholeOf.origin)),
      report.sequences.map((s) => s.head !== "" && fact(t.wholeOf.head[s.sequence], h("code", {}, s.head))),
      fact(t.wholeOf.took, report.took < 1000 ? "< 1 s" : seconds(report.took / 1000))));
}

// ---- what to take along

function takeAway(app: App, report: VerifyReport, firm: Id): HTMLElement {
  const { matter } = report;
  const slot = problemSlot();
  const told = h("p", { class: "hint saved" });
  const done = (file: string) => announce((told.textContent = t.saved(file)));
  const proof = button(t.proof, { id: "verify-proof" }, () => askProof(app, matter, report.released !== null, done));
  const policy = button(t.policy, { id: "verify-policy" }, () => void busy(policy, slot, async () => done(await savePolicy(app, firm))));
  const keys = button(t.keys, { id: "verify-keys" }, () => ask({
    title: t.keysTitle, text: t.keysText, yes: t.keysYes,
    act: async () => {
      const file = await app.engine.call("exportLinkKeys", { matter });
      saveText(file.name, file.text);
      done(file.name);
    },
  }));
  const item = (control: HTMLElement, hint: string) => h("li", {}, control, h("p", { class: "hint" }, hint));
  return h("section", { class: "stack take" }, h("h3", {}, t.take), h("p", {}, t.takeText),
    h("ul", { class: "files" }, item(proof, t.proofHint), item(policy, t.policyHint), item(keys, t.keysHint)), slot.node, told);
}

/** Says what the proof bundle of a matter reveals, then saves it. */
export function askProof(app: App, matter: Id, withTrail: boolean, done: (file: string) => void) {
  ask({
    title: t.proofTitle, text: t.proofText, yes: t.proofYes,
    extra: withTrail && h("p", { class: "caution" }, t.proofTrail),
    act: async () => {
      const file = await app.engine.call("exportProof", { matter });
      saveBase64(file.name, file.base64, "application/zip");
      done(file.name);
    },
  });
}

/** Saves the policy file of a firm and answers the file's name. */
export async function savePolicy(app: App, firm: Id): Promise<string> {
  const file = await app.engine.call("exportPolicy", { firm });
  saveText(file.name, file.text);
  return file.name;
}

function offline(url: string): HTMLElement {
  const command = (what: string, id: string, text: string) => h("div", { class: "command" }, h("p", {}, what), copyable(text, id, what));
  return h("details", { id: "verify-offline", class: "quiet-details" }, h("summary", {}, t.offline),
    h("div", { class: "stack" },
      h("p", {}, t.offlineText),
      command(t.commandCopy, "command-copy", t.commands.copy(url)),
      command(t.commandMatter, "command-matter", t.commands.matter),
      command(t.commandLog, "command-log", t.commands.log),
      command(t.commandReceipt, "command-receipt", t.commands.receipt),
      h("p", { class: "hint" }, t.offlineTodo)));
}
