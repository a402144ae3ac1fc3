// Numbers, times and other people's names, as a reader sees them.

import { h } from "./dom.ts";

const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const short = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const month = new Intl.DateTimeFormat(undefined, { month: "long", year: "numeric" });
const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1, minimumFractionDigits: 1 });

const units = ["bytes", "KB", "MB", "GB", "TB"];

export function size(bytes: number): string {
  if (bytes === 1) return "1 byte";
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return (unit < 2 || value >= 100 ? whole : tenth).format(value) + " " + units[unit];
}

export function count(n: number): string {
  return whole.format(n);
}

export function seconds(n: number): string {
  if (n < 60) return Math.max(1, Math.round(n)) + " s";
  if (n < 3600) return Math.floor(n / 60) + " min " + Math.round(n % 60) + " s";
  return Math.floor(n / 3600) + " h " + Math.round((n % 3600) / 60) + " min";
}

/** "1:59", for a countdown. */
export function timeLeft(n: number): string {
  return Math.floor(n / 60) + ":" + String(n % 60).padStart(2, "0");
}

export function date(ms: number): HTMLTimeElement {
  return time(ms, day);
}

export function dateTime(ms: number): HTMLTimeElement {
  return time(ms, moment);
}

export function dateText(ms: number): string {
  return valid(ms) ? moment.format(ms) : "unknown";
}

/** The time of day alone, where the day stands above it. */
export function timeOfDay(ms: number): HTMLTimeElement {
  return time(ms, clock);
}

/** "22 Nov", for the end of an axis. */
export function shortDay(ms: number): string {
  return valid(ms) ? short.format(ms) : "unknown";
}

/** "Sunday, 22 November 2026", for a heading. */
export function longDay(ms: number): string {
  return valid(ms) ? weekday.format(ms) : "unknown";
}

export function monthText(ms: number): string {
  return valid(ms) ? month.format(ms) : "unknown";
}

export function dayText(ms: number): string {
  return valid(ms) ? day.format(ms) : "unknown";
}

/** The first moment of that day here, moved by days. */
export function dayStart(ms: number, days = 0): number {
  const at = new Date(ms);
  return new Date(at.getFullYear(), at.getMonth(), at.getDate() + days).getTime();
}

/** A digest as signed notes spell it, in the one spelling that this program and underseal-verify have for people. */
export function digestText(base64: string): string {
  const alphabet = "abcdefghijklmnopqrstuvwxyz234567";
  const bits = [...atob(base64)].map((c) => c.charCodeAt(0).toString(2).padStart(8, "0")).join("");
  return (bits.match(/.{1,5}/g) ?? []).map((five) => alphabet[parseInt(five.padEnd(5, "0"), 2)]).join("");
}

/** A long digest for the eye: its two ends, which is what people compare. */
export function shortDigest(text: string): string {
  return text.length <= 20 ? text : text.slice(0, 8) + "\u2026" + text.slice(-8);
}

// An author's clock may say anything: a date the formatter would throw on must not take the screen down.
function time(ms: number, format: Intl.DateTimeFormat): HTMLTimeElement {
  if (!valid(ms)) return h("time", {}, "unknown");
  return h("time", { datetime: new Date(ms).toISOString(), title: moment.format(ms) }, format.format(ms));
}

export function valid(ms: number): boolean {
  return Number.isFinite(ms) && Math.abs(ms) <= 8.64e15;
}

// Controls, and marks that reorder, hide or split text. Joiners (U+200C, U+200D) stay: Persian and emoji need them.
const invisible = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

/** Somebody's text for an attribute or a sentence: what cannot be seen is spelled out. */
export function visible(text: string): string {
  return text.replace(invisible, (mark) => "[" + codePoint(mark) + "]");
}

/** Somebody's text on the page: isolated, so that it cannot turn its neighbours round, with hidden marks shown. */
export function name(text: string, className = "name"): HTMLElement {
  const node = h("bdi", { class: className });
  let from = 0;
  for (const match of text.matchAll(invisible)) {
    if (match.index > from) node.append(text.slice(from, match.index));
    node.append(h("span", { class: "mark" }, codePoint(match[0])));
    from = match.index + match[0].length;
  }
  node.append(text.slice(from) || (from === 0 ? "\u2014" : ""));
  return node;
}

function codePoint(mark: string): string {
  return "U+" + (mark.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
}

/** "PDF" for "a.pdf": what opens it, from the part of the name that decides. */
export function kind(fileName: string): string {
  const extension = /\.([a-z0-9]{1,5})$/i.exec(fileName)?.[1];
  return extension ? extension.toUpperCase() : "FILE";
}
