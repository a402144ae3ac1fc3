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
import { enrolScreen } from "./enrol.ts";
import { waiting } from "./waiting.ts";

export function joinScreen(app: App, me: string | null): Screen {
  if (app.link?.path !== "/join") {
    return { node: page(say.join.noFragment, h("p", { class: "lead" }, say.join.noFragmentTodo),
      h("p", { class: "hint" }, button(say.join.elsewhere, { id: "join-signin", class: "link" }, () => app.go("/")))) };
  }
  const node = h("section", { class: "page narrow", "aria-busy": true }, h("h1", { tabindex: -1 }, say.join.opening));
  app.engine.call("inviteOpen", { fragment: app.link.fragment })
    .then((invite) => showInvite(app, node, invite, me))
    .catch((thrown: unknown) => {
      const failure = failureOf(thrown);
      fill(node, h("h1", { tabindex: -1 }, say.join.kicker), problem(failure),
        failure.code === "invite-used" && h("div", { class: "actions start" }, button(say.signin.title, { id: "join-signin" }, () => app.go("/"))));
    })
    .finally(() => node.removeAttribute("aria-busy"));
  return { node };
}

interface Joined {
  matter: Id;
  state: "open" | "waiting";
}

function showInvite(app: App, node: HTMLElement, invite: InviteView, me: string | null) {
  const [inviter, invites] = say.join.title("");
  const slot = problemSlot();
  const status = h("p", { class: "status", role: "status" });
  const heading = h("h1", { tabindex: -1, class: "invite-title" },
    h("span", { class: "kicker" }, name(invite.inviter), inviter, invites), name(invite.matterName));

  const go = button(me === null ? say.join.button : say.join.accept, { id: me === null ? "join-passkey" : "join-accept", class: "primary large" }, () =>
    void busy(go, slot, async () => {
      try {
        come(app, invite, await accept(app, me === null, status));
      } catch (thrown) {
        await needsTwoWays(app, thrown);
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
        me === null && h("p", { class: "hint" }, button(say.join.password, { id: "join-with-password", class: "link" }, () => app.show(withPassword(app, invite)))),
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

async function accept(app: App, isNew: boolean, status: HTMLElement): Promise<Joined> {
  if (!isNew) return app.engine.call("inviteAccept");
  const options = await app.engine.call("inviteOptions");
  const passkey = await createPasskey(options, () => (status.textContent = say.secondTouch));
  status.textContent = say.join.working;
  const answer = await app.engine.call("inviteFinish", { passkey });
  app.signedIn(await app.engine.call("overview"));
  return answer;
}

// A password alone opens nothing on another device, so the kit comes at once.
function withPassword(app: App, invite: InviteView): Screen {
  return enrolScreen(app, {
    about: "", // the invite says it
    begin: () => app.engine.call("inviteOptions"),
    finish: async (code) => {
      try {
        const joined = await app.engine.call("inviteFinish", { code });
        app.signedIn(await app.engine.call("overview"));
        if (joined.state === "open") app.makeKit("/m/" + joined.matter, true);
        else come(app, invite, joined);
      } catch (thrown) {
        await needsTwoWays(app, thrown);
      }
    },
    back: () => app.go("/join"),
  });
}

// Who works in a firm has a second way to unlock before anything is sealed to him: the join goes on when the matter is opened.
async function needsTwoWays(app: App, thrown: unknown): Promise<void> {
  if (failureOf(thrown).code !== "second-way") throw thrown;
  const overview = await app.engine.call("overview");
  app.signedIn(overview);
  app.secondWay("/m/" + (overview.matters.at(-1)?.matter ?? ""), () => undefined);
}

function come(app: App, invite: InviteView, { matter, state }: Joined) {
  if (state === "open") return app.go("/m/" + matter);
  history.replaceState(null, "", "/"); // the link has done its work: a reload leads to the sign-in
  const node = h("section", { class: "page narrow" });
  app.show({ node, event: (event: Event) => void (event.event === "matter" && event.matter === matter && app.go("/m/" + matter)) });
  void waiting(app, node, { firm: null, firmName: invite.firmName, inviter: invite.inviter });
  watch(app, matter, node, () => app.go("/m/" + matter)); // which says why
}
