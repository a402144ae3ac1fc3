// The picture of a verification: sequences, link by link, closing into one root.

import { svg } from "../dom.ts";
import type { VerifyReport } from "../engine.ts";
import { count } from "../format.ts";
import { say } from "../sentences.ts";

const t = say.verify;

const root = { x: 276, y: 98, r: 27 };
const laneTop = 42;
const laneStep = 56;
const step = 28;
const laneEnd = 160; // where every sequence turns to the root
const check = "l4 4.2 8.6-9.2"; // from where it begins

export function sealedPicture(report: VerifyReport): SVGSVGElement {
  const entries = report.sequences.reduce((sum, s) => sum + s.entries, 0);
  const vouching = report.policy === "met" ? report.witnesses.filter((w) => w.at !== null).length : 0;
  return svg("svg", { viewBox: vouching > 0 ? "0 0 400 196" : "0 0 312 196", class: "picture", role: "img", "aria-label": t.picture(report.sequences.length, entries, vouching), focusable: "false" },
    report.sequences.map((s, i) => lane(t.sequences[s.sequence].label, s.entries, laneTop + i * laneStep)),
    svg("circle", { class: "root", cx: root.x, cy: root.y, r: root.r }),
    svg("path", { class: "root-tick", d: `M${root.x - 11} ${root.y + 1}l7.5 8 15-17` }),
    svg("text", { x: root.x, y: root.y + root.r + 18, "text-anchor": "middle" }, t.root),
    vouching > 0 ? witnesses(vouching) : null);
}

function lane(label: string, entries: number, y: number): SVGGElement {
  const dots = Math.min(entries, 6);
  const cut = entries > 6; // the middle is left out, and drawn as such
  const xs = Array.from({ length: dots }, (_, i) => 14 + i * step);
  const last = xs.at(-1) ?? 14;
  return svg("g", {},
    svg("text", { x: 6, y: y - 15 }, `${label} \u00b7 ${count(entries)}`),
    entries === 0 && svg("circle", { class: "absent", cx: 14, cy: y, r: 6 }),
    dots > 1 && svg("path", { class: "link", d: cut ? `M14 ${y}H${14 + 2 * step + 8}M${14 + 3 * step - 8} ${y}H${last}` : `M14 ${y}H${last}` }),
    cut && [-4, 0, 4].map((off) => svg("circle", { class: "skipped", cx: 14 + 2.5 * step + off, cy: y, r: 1.1 })),
    entries > 0 && svg("path", { class: "link", d: `M${last} ${y}H${laneEnd}C${laneEnd + 50} ${y} ${root.x - 80} ${root.y} ${root.x - root.r} ${root.y}` }),
    xs.map((x) => [svg("circle", { class: "entry", cx: x, cy: y, r: 8 }), svg("path", { class: "entry-tick", d: `M${x - 3.400} ${y + .3}l2.300 2.500 4.600-5.200` })]));
}

function witnesses(n: number): SVGGElement {
  const shown = Math.min(n, 3);
  const ys = Array.from({ length: shown }, (_, i) => root.y + (i - (shown - 1) / 2) * 40);
  return svg("g", {},
    ys.map((y) => [
      svg("path", { class: "vouch", d: `M${root.x + root.r} ${root.y}C${root.x + 50} ${root.y} ${root.x + 45} ${y} ${root.x + 70} ${y}` }),
      svg("circle", { class: "witness", cx: root.x + 82, cy: y, r: 12 }),
      svg("path", { class: "witness-tick", d: `M${root.x + 76} ${y + .5}${check}` }),
    ]),
    svg("text", { x: root.x + 82, y: Math.max(...ys) + 30, "text-anchor": "middle" }, t.witness));
}
