// Sign-in through a firm's identity provider: the way there, and what came of it. Nothing here touches keys.

import { byId, fill, h } from "./dom.ts";
import type { Id } from "./engine.ts";
import { say } from "./sentences.ts";
import { mark, page } from "./ui.ts";

/** What the address says when the browser comes back. */
export type Outcome = "in" | "linked" | "sign-in-failed" | "unavailable";

const outcomes: ReadonlySet<string> = new Set<Outcome>(["in", "linked", "sign-in-failed", "unavailable"]);
const leavingPath = /^\/sso\/([a-z2-7]{52})\/?$/;

/** The page that goes there, and comes back to then. It is a page of its own: no other may lead off this site. */
export function ssoPage(firm: Id, then: string): string {
  return `/sso/${firm}?${new URLSearchParams({ then }).toString()}`;
}

/** What came of it, taken out of the address. Anybody can write one there: it opens nothing. */
export function takeOutcome(): Outcome | null {
  const outcome = new URLSearchParams(location.search).get("sso");
  if (outcome === null) return null;
  history.replaceState(null, "", location.pathname + location.hash);
  return outcomes.has(outcome) ? (outcome as Outcome) : null;
}

/** On that page, goes on to the identity provider, and says so. There is no worker here, and no key. */
export function leaves(): boolean {
  const firm = leavingPath.exec(location.pathname)?.[1];
  if (firm === undefined) return false;
  const asked = new URLSearchParams(location.search);
  const passed = new URLSearchParams();
  for (const name of ["then", "link"]) {
    const value = asked.get(name);
    if (value !== null) passed.set(name, value);
  }
  fill(byId("head"), h("span", { class: "brand" }, mark(), h("span", {}, say.product)));
  fill(byId("main"), page(say.sso.leaving, h("p", { class: "lead", id: "sso-leaving", role: "status" }, say.sso.leavingText)));
  // In its place: whoever goes back from there comes to where he was before.
  location.replace(`/v1/firms/${firm}/oidc/start?${passed.toString()}`);
  return true;
}
