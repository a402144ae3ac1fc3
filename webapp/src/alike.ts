// Whom a name could be read as. It is said wherever somebody is looked at or chosen by his name, with the words that tell the two
// apart: those stand for keys, and nobody can have another's.

import { h } from "./dom.ts";
import type { Alike } from "./engine.ts";
import { name } from "./format.ts";
import { roleName, say } from "./sentences.ts";
import { words } from "./ui.ts";

const t = say.alike;

/** Nothing where the list is empty. own are the words of him whose name it is, where they do not stand beside it anyway. */
export function alikeNote(list: readonly Alike[], own: readonly string[] = []): HTMLElement | false {
  return note(list, own, true);
}

/** The same in a list of people, where the others' words stand with the others. */
export function alikeInList(list: readonly Alike[], own: readonly string[]): HTMLElement | false {
  return note(list, own, false);
}

function note(list: readonly Alike[], own: readonly string[], others: boolean): HTMLElement | false {
  if (list.length === 0) return false;
  return h("div", { class: "alike", "data-alike": list.length },
    list.map((other) => h("p", { class: "caution" }, t.looks, name(other.name), who(other))),
    h("p", { class: "hint" }, t.compare),
    own.length > 0 && [h("p", { class: "words-title" }, t.own), words(own)],
    others && list.map((other) => other.words.length > 0 && [h("p", { class: "words-title" }, t.others, name(other.name), who(other)), words(other.words)]));
}

function who({ role, state, isMe }: Alike): string {
  return t.who([role === "" ? "" : roleName[role], isMe ? say.people.you : t.state[state]].filter((each) => each !== ""));
}
