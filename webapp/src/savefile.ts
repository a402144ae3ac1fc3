// Hands verified bytes to the person's disk.

import { h } from "./dom.ts";
import { saveName } from "./savename.ts";

// Long enough for the browser to have opened the blob; it keeps its own hold from then on.
const keepURL = 60_000;

export function saveFile(name: string, file: Blob) {
  const url = URL.createObjectURL(file);
  const anchor = h("a", { href: url, download: saveName(name), hidden: true });
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
  setTimeout(() => URL.revokeObjectURL(url), keepURL);
}

export function saveText(name: string, text: string) {
  saveFile(name, new Blob([text], { type: "text/plain;charset=utf-8" }));
}

/** A file that the worker made, in base64. */
export function saveBase64(name: string, base64: string, type: string) {
  saveFile(name, new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], { type }));
}
