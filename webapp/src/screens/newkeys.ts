// A matter whose members have other keys than it is sealed to: it takes nothing new until an owner who looked at them renews it.

import type { App, Changed } from "../app.ts";
import { fill, h } from "../dom.ts";
import type { MatterView } from "../engine.ts";
import { name, visible } from "../format.ts";
import { say } from "../sentences.ts";
import { announce, ask, button, focusHeading, words } from "../ui.ts";

const t = say.newKeys;

/** Hidden where all keys are the ones it is sealed to. */
export function newKeysBanner(app: App, changed: Changed) {
  const node = h("section", { id: "new-keys", class: "notice", "aria-label": t.label, hidden: true });
  let drawn = "";
  return {
    node,
    show(view: MatterView) {
      const now = JSON.stringify([view.newKeys, view.myRole]);
      if (now === drawn) return;
      drawn = now;
      const others = view.newKeys.filter((each) => !each.isMe);
      node.hidden = view.newKeys.length === 0;
      const owner = view.myRole === "owner";
      fill(node,
        h("p", {}, others.length === 0 ? (owner ? t.mineOwner : t.mine) : t.text(others.map((each) => visible(each.name))), " ", others.length > 0 && (owner ? t.owner : t.other)),
        owner && view.newKeys.length > 0 && button(t.renew, { id: "new-keys-renew", class: "small" }, () => askRenew(app, view, changed)));
    },
  };
}

function askRenew(app: App, view: MatterView, changed: Changed) {
  const others = view.newKeys.filter((each) => !each.isMe);
  ask({
    title: t.title,
    text: others.length === 0 ? t.askMine : t.ask,
    extra: h("div", { id: "new-keys-who", class: "stack" }, others.map((each) => h("div", { class: "stack tight", "data-member": each.member }, h("h3", {}, name(each.name)), words(each.words)))),
    yes: t.yes,
    act: async () => changed(await app.engine.call("renewKeys", { matter: view.matter, members: view.newKeys.map((each) => each.member) })),
    after: () => (announce(t.done), focusHeading()),
  });
}
