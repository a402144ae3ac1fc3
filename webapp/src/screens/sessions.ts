// Where this account is signed in, and the end of it.

import type { App } from "../app.ts";
import { fill, h } from "../dom.ts";
import type { Session } from "../engine.ts";
import { failureOf } from "../engine-client.ts";
import { dateText, dateTime } from "../format.ts";
import { withProof } from "../prove.ts";
import { methodName, say } from "../sentences.ts";
import { announce, ask, busy, button, problem, problemSlot } from "../ui.ts";

const t = say.account;

export function sessionsSection(app: App): HTMLElement {
  const slot = problemSlot();
  const heading = h("h2", { tabindex: -1 }, t.sessions);
  const list = h("ul", { id: "sessions", class: "plain things" }, h("li", {}, h("p", { role: "status" }, say.loading)));
  const alone = h("p", { class: "hint", hidden: true }, t.onlyThis);
  const others = button(t.endOthers, { id: "sessions-end-others", hidden: true }, () => ask({
    title: t.endOthersTitle, text: t.endOthersText, yes: t.endOthers, danger: true,
    act: async () => {
      await withProof(app, () => app.engine.call("sessionsEndOthers"));
      await load();
    },
    after: () => (announce(t.endedAll), heading.focus()),
  }));

  const load = async () => {
    const { sessions } = await app.engine.call("sessions");
    fill(list, [...sessions].sort((a, b) => Number(b.current) - Number(a.current) || b.seenAt - a.seenAt).map(row));
    alone.hidden = sessions.length > 1;
    others.hidden = sessions.length < 2;
  };
  const row = (session: Session) => {
    const end = button(t.end, { class: "small", "data-action": "session-end", "aria-label": t.endOne(methodName[session.method], dateText(session.createdAt)) }, () =>
      void busy(end, slot, async () => {
        await withProof(app, () => app.engine.call("sessionEnd", { id: session.id }));
        await load();
        announce(t.ended);
        heading.focus();
      }));
    const method = methodName[session.method];
    return h("li", { "data-session": session.id, "data-current": String(session.current) },
      h("div", {},
        h("p", { class: "thing-name" }, method.charAt(0).toLocaleUpperCase() + method.slice(1), " ", session.current && h("span", { class: "badge" }, t.thisOne)),
        h("p", { class: "hint" }, t.sessionBegan, dateTime(session.createdAt), t.sessionSeen, dateTime(session.seenAt), session.mfa && t.sessionMFA, ".")),
      !session.current && h("div", { class: "actions" }, end));
  };
  const begin = () => void load().catch((thrown: unknown) => fill(list, h("li", {}, problem(failureOf(thrown)), button(say.tryAgain, { class: "small" }, begin))));
  begin();
  return h("section", { class: "sheet" }, heading, h("p", { class: "hint" }, t.sessionsHint), list, alone, slot.node, others);
}
