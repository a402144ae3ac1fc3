// A guest: who invites to what, one button, in.

import type { App, Screen } from "../app.ts";
import { fill, h } from "../dom.ts";
import type { Event, Id, InviteView } from "../engine.ts";
import { failureOf } from "../engine-client.ts";
import { dateTime, name, visible } from "../format.ts";
import { createPasskey } from "../passkey.ts";
import { roleArticle, roleMeaning, say } from "../sentences.ts";
import { teach } from "../teach.ts";
import { watch } from "../watch.ts";
import { busy, button, page, problem, problemSlot, words } from "../ui.ts";
import { waiting } from "./waiting.ts";

export function joinScreen(app: App, me: string | null): Screen {
  const fragment = app.invitation;
  if (fragment === null) {
    return { node: page(say.join.noFragment, h("p", { class: "lead" }, say.join.noFragmentTodo),
      h("p", { class: "hint" }, button(say.join.elsewhere, { id: "join-signin", class: "link" }, () => app.go("/")))) };
  }
  const node = h("section", { class: "page narrow", "aria-busy": true }, h("h1", { tabindex: -1 }, say.join.opening));
  let waitingFor: Id | null = null;

  const joined = (matter: Id, state: "open" | "waiting", invite: InviteView) => {
    if (state === "open") return app.go("/m/" + matter);
    waitingFor = matter;
    history.replaceState(null, "", "/"); // the link has done its work: a reload leads to the sign-in
    void waiting(app, node, { firm: null, firmName: invite.firmName, inviter: invite.inviter });
    watch(app, matter, node, () => app.go("/m/" + matter)); // which says why
  };
  app.engine.call("inviteOpen", { fragment })
    .then((invite) => showInvite(app, node, invite, me, joined))
    .catch((thrown: unknown) => fill(node, h("h1", { tabindex: -1 }, say.join.kicker), problem(failureOf(thrown))))
    .finally(() => node.removeAttribute("aria-busy"));
  return {
    node,
    event: (event: Event) => {
      if (event.event === "matter" && event.matter === waitingFor) app.go("/m/" + event.matter);
    },
  };
}

type Joined = (matter: Id, state: "open" | "waiting", invite: InviteView) => void;

function showInvite(app: App, node: HTMLElement, invite: InviteView, me: string | null, joined: Joined) {
  const [inviter, invites] = say.join.title("");
  const slot = problemSlot();
  const status = h("p", { class: "status", role: "status" });
  const heading = h("h1", { tabindex: -1, class: "invite-title" },
    h("span", { class: "kicker" }, name(invite.inviter), inviter, invites), name(invite.matterName));

  const go = button(me === null ? say.join.button : say.join.accept, { id: me === null ? "join-passkey" : "join-accept", class: "primary large" }, () =>
    void busy(go, slot, async () => {
      try {
        const { matter, state } = await accept(app, me === null, status);
        joined(matter, state, invite);
      } catch (thrown) {
        // Who works in a firm has a kit before anything is sealed to him: the join goes on when the matter is opened.
        if (failureOf(thrown).code !== "second-way") throw thrown;
        const overview = await app.engine.call("overview");
        app.signedIn(overview);
        app.secondWay("/m/" + (overview.matters.at(-1)?.matter ?? ""), () => undefined);
      } finally {
        status.textContent = "";
      }
    }));

  fill(node, heading,
    h("div", { class: "sheet" },
      facts(invite),
      slot.node,
      h("div", { class: "go" }, go,
        h("p", { class: "hint" }, me === null ? say.join.hint : say.join.signedInAs(visible(me))),
        invite.mode === "after-i-confirm" && h("p", { class: "hint" }, say.join.confirmHint(visible(invite.inviter))),
        status)),
    h("details", { class: "quiet-details" }, h("summary", {}, say.join.words), words(invite.inviterWords), h("p", { class: "hint" }, say.join.wordsHint)),
    h("p", { class: "hint" }, say.promise),
    teach(app, "invitations"),
    me === null && teach(app, "passkey"),
    me === null && h("p", { class: "hint" }, button(say.join.elsewhere, { id: "join-signin", class: "link" }, () => app.go("/"))));
  heading.focus();
}

function facts(invite: InviteView): HTMLElement {
  const fact = (term: string, value: Node | string) => [h("dt", {}, term), h("dd", {}, value)];
  return h("dl", { class: "facts" },
    fact(say.join.firm, name(invite.firmName)),
    fact(say.join.forWhom, name(invite.person)),
    fact(say.join.as, h("span", {}, roleArticle[invite.role], h("br"), h("span", { class: "hint" }, roleMeaning[invite.role]))),
    fact(say.join.expires, dateTime(invite.expiresAt)));
}

async function accept(app: App, isNew: boolean, status: HTMLElement): Promise<{ matter: Id; state: "open" | "waiting" }> {
  if (!isNew) return app.engine.call("inviteAccept");
  const options = await app.engine.call("inviteOptions");
  const passkey = await createPasskey(options, () => (status.textContent = say.secondTouch));
  status.textContent = say.join.working;
  const answer = await app.engine.call("inviteFinish", { passkey });
  app.signedIn(await app.engine.call("overview"));
  return answer;
}
