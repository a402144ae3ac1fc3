// Counts per day and person: a row of bars for each person, and the same as a table for whoever does not see bars.

import { fill, h, svg } from "./dom.ts";
import { count, dayStart, dayText, monthText, name, shortDay, valid, visible } from "./format.ts";
import { say } from "./sentences.ts";

const t = say.chart;

export interface Tally {
  at: number;
  who: string;
}

interface Bucket {
  from: number;
  to: number;
}

interface Lane {
  who: string;
  counts: number[];
  total: number;
}

const fewest = 14; // buckets: a single busy day still stands on an axis
const most = 62;
const lanesAtOnce = 6;
const barHeight = 20;

export function tallyChart(id: string, title: string): { node: HTMLElement; show(items: readonly Tally[]): void } {
  const node = h("figure", { id, class: "chart" });
  return {
    node,
    show(items) {
      const told = items.filter((item) => valid(item.at) && item.at > 0);
      node.hidden = told.length === 0;
      if (told.length === 0) return fill(node);
      const { buckets, label, unit } = axis(told);
      const lanes = lanesOf(told, buckets);
      const top = Math.max(1, ...lanes.flatMap((lane) => lane.counts));
      const opened = node.querySelector("details")?.open ?? false;
      fill(node,
        h("figcaption", {}, title),
        h("ul", { class: "lanes" }, lanes.map((lane) => laneRow(lane, buckets, label, top))),
        h("p", { class: "axis", "aria-hidden": "true" }, h("span", {}, shortDay(buckets[0]?.from ?? 0)), h("span", {}, shortDay(buckets.at(-1)?.from ?? 0))),
        h("details", { class: "quiet-details", open: opened }, h("summary", {}, t.table), table(title, lanes, buckets, label, unit)));
    },
  };
}

// Days while they fit, then weeks, then months, ending with the newest.
function axis(items: readonly Tally[]): { buckets: Bucket[]; label: (bucket: Bucket) => string; unit: string } {
  const times = items.map((item) => item.at);
  const first = times.reduce((a, b) => Math.min(a, b));
  const last = times.reduce((a, b) => Math.max(a, b));
  const days = Math.round((dayStart(last) - dayStart(first)) / 86_400_000) + 1;
  if (days <= most) return { buckets: spans(last, Math.max(days, fewest), 1), label: (b) => dayText(b.from), unit: t.day };
  const weeks = Math.ceil(days / 7);
  if (weeks <= most) return { buckets: spans(last, weeks, 7), label: (b) => dayText(b.from), unit: t.week };
  return { buckets: months(first, last), label: (b) => monthText(b.from), unit: t.month };
}

function spans(last: number, n: number, step: number): Bucket[] {
  return Array.from({ length: n }, (_, i) => {
    const back = (n - 1 - i) * step;
    return { from: dayStart(last, 1 - step - back), to: dayStart(last, 1 - back) };
  });
}

// A wrong clock long ago must not make thousands: only the newest count.
function months(first: number, last: number): Bucket[] {
  const end = new Date(last);
  const start = new Date(first);
  const n = Math.min(most, (end.getFullYear() - start.getFullYear()) * 12 + end.getMonth() - start.getMonth() + 1);
  return Array.from({ length: n }, (_, i) => {
    const back = n - 1 - i;
    return { from: new Date(end.getFullYear(), end.getMonth() - back).getTime(), to: new Date(end.getFullYear(), end.getMonth() - back + 1).getTime() };
  });
}

function lanesOf(items: readonly Tally[], buckets: readonly Bucket[]): Lane[] {
  const lanes = new Map<string, Lane>();
  for (const { at, who } of items) {
    const bucket = buckets.findIndex((b) => at >= b.from && at < b.to);
    if (bucket < 0) continue;
    const lane = lanes.get(who) ?? { who, counts: buckets.map(() => 0), total: 0 };
    lane.counts[bucket] = (lane.counts[bucket] ?? 0) + 1;
    lane.total++;
    lanes.set(who, lane);
  }
  const sorted = [...lanes.values()].sort((a, b) => b.total - a.total || a.who.localeCompare(b.who));
  if (sorted.length <= lanesAtOnce) return sorted;
  const rest = sorted.slice(lanesAtOnce - 1);
  const counts = buckets.map((_, i) => rest.reduce((sum, lane) => sum + (lane.counts[i] ?? 0), 0));
  return [...sorted.slice(0, lanesAtOnce - 1), { who: t.others, counts, total: counts.reduce((a, b) => a + b, 0) }];
}

function laneRow(lane: Lane, buckets: readonly Bucket[], label: (bucket: Bucket) => string, top: number): HTMLElement {
  const busiest = lane.counts.indexOf(Math.max(...lane.counts));
  const bucket = buckets[busiest];
  const spoken = t.row(visible(lane.who), lane.total, lane.counts[busiest] ?? 0, bucket ? label(bucket) : "");
  const bars = lane.counts.flatMap((n, i) => {
    if (n === 0) return [];
    const height = Math.max(3, (n / top) * barHeight);
    return [svg("rect", { x: i * 10 + 1.5, y: barHeight - height, width: 7, height }, svg("title", {}, `${buckets[i] ? label(buckets[i]) : ""}: ${n}`))];
  });
  return h("li", {},
    name(lane.who, "lane-name"),
    svg("svg", { viewBox: `0 0 ${buckets.length * 10} ${barHeight + 1}`, preserveAspectRatio: "none", class: "bars", role: "img", "aria-label": spoken, focusable: "false" },
      svg("rect", { class: "base", x: 0, y: barHeight, width: buckets.length * 10, height: 1 }), bars),
    h("span", { class: "lane-total", "aria-hidden": "true" }, count(lane.total)));
}

function table(title: string, lanes: readonly Lane[], buckets: readonly Bucket[], label: (bucket: Bucket) => string, unit: string): HTMLElement {
  const rows = buckets.map((bucket, i) => ({ bucket, counts: lanes.map((lane) => lane.counts[i] ?? 0) })).filter((row) => row.counts.some((n) => n > 0)).reverse();
  const cells = (counts: readonly number[]) => counts.map((n) => h("td", {}, count(n)));
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": title }, h("table", { class: "figures" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, unit), lanes.map((lane) => h("th", { scope: "col" }, name(lane.who))))),
    h("tbody", {}, rows.map((row) => h("tr", {}, h("th", { scope: "row" }, label(row.bucket)), cells(row.counts)))),
    h("tfoot", {}, h("tr", {}, h("th", { scope: "row" }, t.total), cells(lanes.map((lane) => lane.total))))));
}
