// Somebody accepted, and an owner must confirm: nothing is closed, and nothing to be done but to wait.

import type { App } from "../app.ts";
import { fill, h } from "../dom.ts";
import type { Id } from "../engine.ts";
import { visible } from "../format.ts";
import { say } from "../sentences.ts";
import { words } from "../ui.ts";

/** What is known of the invite: its sender is only while its link is at hand. */
interface Waiting {
  firm: Id | null;
  firmName?: string;
  inviter: string | null;
}

/** Shows it in node, with the words that the owner compares. Who shows it looks whether it is over. */
export async function waiting(app: App, node: HTMLElement, { firm, firmName, inviter }: Waiting) {
  const t = say.waiting;
  const heading = h("h1", { tabindex: -1 }, t.title);
  const mine = h("div", { class: "stack tight" });
  fill(node, h("div", { id: "waiting", class: "stack" }, heading,
    h("p", { class: "lead", role: "status" }, inviter === null ? t.somebody : t.text(visible(inviter))), mine,
    h("p", { class: "hint" }, h("a", { href: "/" }, t.matters))));
  heading.focus();
  const account = await app.engine.call("account").catch(() => null);
  const identity = account?.identities.find((i) => i.firm === firm || i.firmName === firmName) ?? account?.identities[0];
  if (identity) fill(mine, h("h2", {}, t.words), words(identity.words), h("p", { class: "hint" }, inviter === null ? t.wordsSomebody : t.wordsHint(visible(inviter))));
}
