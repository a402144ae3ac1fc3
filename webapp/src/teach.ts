// The four things there are to learn, each beside what it is about. They stand in nobody's way: nothing waits for them, and one
// click puts one away for good. That it was read is the person's own signed word, which the firm can show.

import type { App } from "./app.ts";
import { h, svg } from "./dom.ts";
import type { Topic } from "./engine.ts";
import { say } from "./sentences.ts";
import { announce, button } from "./ui.ts";

const t = say.teach;

/** To whom false invitations are explained: who got one, or who sends them. */
export type Lesson = Topic | "inviting";

export function topicOf(lesson: Lesson): Topic {
  return lesson === "inviting" ? "invitations" : lesson;
}

/** The card about something, or false for who has read it. Folded, it takes one line until it is opened: where there is work to do beside it. */
export function teach(app: App, lesson: Lesson, folded = false): HTMLElement | false {
  const topic = topicOf(lesson);
  if (app.hasRead(topic)) return false;
  const { title, text } = t.lessons[lesson];
  const heading = h("h2", { id: "teach-" + topic + "-title", tabindex: -1 }, title);
  const done = h("p", { class: "hint", hidden: true }, t.noted);
  const read = button(t.read, { id: "teach-" + topic, class: "small", "aria-label": t.readOne(title) }, () => {
    app.acknowledge(topic);
    body.hidden = true;
    done.hidden = false;
    announce(t.noted);
    heading.focus(); // the button is gone, and what comes next is below
  });
  const body = h("div", { class: "teach-body" },
    h("div", { class: "teach-text" }, text.map((each) => h("p", {}, each)), lesson === "invitations" && h("p", {}, t.here, h("code", {}, location.host))),
    h("figure", {}, pictures[topic](t.pictures[topic])),
    h("div", { class: "teach-done" }, read, h("p", { class: "hint" }, t.signed)));
  const card = { class: "teach", "data-topic": topic, "aria-labelledby": heading.id };
  return folded ? h("aside", card, h("details", {}, h("summary", {}, heading), body), done) : h("aside", card, heading, body, done);
}

/** All of them, to be read again, or for the first time where the moment passed. */
export function lessons(app: App): HTMLElement {
  const topics = Object.keys(pictures) as Topic[];
  return h("section", { id: "lessons", class: "sheet", "aria-labelledby": "lessons-title" },
    h("h2", { id: "lessons-title" }, t.all), h("p", { class: "hint" }, t.allHint),
    topics.map((topic) => teach(app, topic) || h("details", { class: "quiet-details", "data-topic": topic },
      h("summary", {}, t.lessons[topic].title), h("div", { class: "teach-text" }, t.lessons[topic].text.map((each) => h("p", {}, each))))));
}

// ---- pictures, of our own lines and colours: each says in one look what the text says in two sentences

interface Words {
  label: string; // the whole picture, for who does not see it
  parts: readonly [string, string, string];
}

type Picture = (words: Words) => SVGSVGElement;

const pictures: Readonly<Record<Topic, Picture>> = { passkey, kit, invitations, "who-sees-what": whoSeesWhat };

function picture(words: Words, ...parts: (Node | Node[] | false)[]): SVGSVGElement {
  return svg("svg", { viewBox: "0 0 320 136", class: "lesson", role: "img", "aria-label": words.label, focusable: "false" }, ...parts);
}

const line = (d: string) => svg("path", { class: "line", d });
const strong = (d: string) => svg("path", { class: "strong", d });
const faint = (d: string) => svg("path", { class: "faint", d });
const cross = (x: number, y: number) => svg("path", { class: "cross", d: `M${x - 6} ${y - 6}l12 12M${x + 6} ${y - 6}l-12 12` });
const tick = (x: number, y: number) => svg("path", { class: "strong", d: `M${x - 6} ${y}l4.500 5 8-10` });
const box = (x: number, y: number, width: number, height: number, rx: number) => svg("rect", { class: "sheet-of", x, y, width, height, rx });
const text = (x: number, y: number, words: string) => svg("text", { x, y, "text-anchor": "middle" }, words);

// The telephone holds the key; it goes to one address, and to a copy of it not at all.
function passkey({ label, parts }: Words): SVGSVGElement {
  return picture({ label, parts },
    box(22, 12, 62, 96, 9), svg("circle", { class: "strong", cx: 53, cy: 46, r: 11 }), strong("M53 57v28M53 72h9M53 82h7"), text(53, 126, parts[0]),
    site(206, 10, parts[1]), site(206, 72, parts[2]),
    strong("M88 50C140 46 150 32 200 31"), tick(150, 33), faint("M88 62C140 66 150 92 200 93"), cross(150, 82));
}

function site(x: number, y: number, address: string): SVGGElement {
  return svg("g", {}, box(x, y, 104, 42, 4), line(`M${x} ${y + 14}h104`), svg("circle", { class: "dot", cx: x + 8, cy: y + 7, r: 1.800 }), svg("circle", { class: "dot", cx: x + 15, cy: y + 7, r: 1.800 }), text(x + 52, y + 33, address));
}

// The telephone is lost; the page brings back in.
function kit({ label, parts }: Words): SVGSVGElement {
  return picture({ label, parts },
    svg("rect", { class: "faint", x: 22, y: 14, width: 54, height: 88, rx: 8 }), cross(49, 58), text(49, 126, parts[0]),
    box(122, 14, 74, 88, 2), line("M132 30h36M132 40h54"), svg("rect", { class: "code", x: 132, y: 54, width: 54, height: 22, rx: 2 }), strong("M138 65h42"), line("M132 88h30"), text(159, 126, parts[1]),
    strong("M204 58h34M231 51l8 7-8 7"),
    box(252, 40, 46, 40, 4), strong("M262 40v-9a13 13 0 0 1 25-5"), svg("circle", { class: "strong", cx: 275, cy: 57, r: 4 }), strong("M275 61v8"), text(275, 126, parts[2]));
}

// Two letters: one says who, and asks for nothing; the other asks.
function invitations({ label, parts }: Words): SVGSVGElement {
  return picture({ label, parts },
    box(16, 14, 128, 88, 4), svg("circle", { class: "strong", cx: 38, cy: 38, r: 9 }), strong("M56 34h60"), line("M56 44h40M30 64h100M30 76h76"), tick(128, 92), text(80, 126, parts[0]),
    box(176, 14, 128, 88, 4), svg("circle", { class: "faint", cx: 198, cy: 38, r: 9 }), line("M216 38h46"), svg("rect", { class: "code", x: 190, y: 58, width: 100, height: 20, rx: 2 }), text(240, 72, parts[2]), cross(290, 92), text(240, 126, parts[1]));
}

// The same paper thrice: open, sealed, and not there.
function whoSeesWhat({ label, parts }: Words): SVGSVGElement {
  return picture({ label, parts },
    box(24, 14, 66, 84, 2), line("M34 30h46M34 42h46M34 54h30M34 66h46M34 78h22"), text(57, 118, parts[0]),
    box(127, 26, 66, 60, 2), line("M127 28l33 28 33-28"), svg("circle", { class: "seal", cx: 160, cy: 60, r: 11 }), svg("path", { class: "on-seal", d: "M155.500 55v5a4.500 4.500 0 0 0 9 0v-5" }), text(160, 118, parts[1]),
    svg("rect", { class: "faint", x: 230, y: 14, width: 66, height: 84, rx: 2 }), text(263, 118, parts[2]));
}
