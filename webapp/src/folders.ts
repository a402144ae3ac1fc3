// Which documents and folders one place shows. Plain functions of the view: no element is touched here.

import type { DocumentView } from "./engine.ts";

export interface Place {
  folder: string;
  filter: string;
  deleted: boolean;
  sort: Sort;
}

export interface Sort {
  by: "name" | "size" | "changed";
  down: boolean;
}

export interface Folder {
  path: string;
  name: string;
  documents: number; // in it and below it
}

export interface Listing {
  folders: Folder[];
  documents: DocumentView[];
}

const byName = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

export function listing(all: readonly DocumentView[], place: Place): Listing {
  const filter = place.filter.trim().toLocaleLowerCase();
  const here = all.filter((d) => (d.deleted !== null) === place.deleted);
  const flat = filter !== "" || place.deleted; // a search looks everywhere, and so does the list of what is gone
  const documents = here.filter((d) => (flat ? matches(d, filter) : d.folder === place.folder)).sort(order(place.sort));
  const folders = flat ? [] : foldersIn(here, place.folder);
  if (place.sort.by === "name" && place.sort.down) folders.reverse();
  return { folders, documents };
}

function matches(document: DocumentView, filter: string): boolean {
  return [document.name, document.folder, document.changedBy, document.author].some((text) => text.toLocaleLowerCase().includes(filter));
}

function order(sort: Sort): (a: DocumentView, b: DocumentView) => number {
  const compare: Record<Sort["by"], (a: DocumentView, b: DocumentView) => number> = {
    name: (a, b) => byName.compare(a.name, b.name),
    size: (a, b) => a.size - b.size,
    changed: (a, b) => a.changedAt - b.changedAt,
  };
  const way = sort.down ? -1 : 1;
  return (a, b) => way * compare[sort.by](a, b) || byName.compare(a.name, b.name) || (a.document < b.document ? -1 : 1);
}

function foldersIn(documents: readonly DocumentView[], parent: string): Folder[] {
  const prefix = parent === "" ? "" : parent + "/";
  const found = new Map<string, Folder>();
  for (const document of documents) {
    if (document.folder === parent || !document.folder.startsWith(prefix)) continue;
    const name = document.folder.slice(prefix.length).split("/", 1)[0] ?? "";
    const folder = found.get(name) ?? { path: prefix + name, name, documents: 0 };
    folder.documents++;
    found.set(name, folder);
  }
  return [...found.values()].sort((a, b) => byName.compare(a.name, b.name));
}

/** Every folder a document may be moved to, parents included. */
export function allFolders(documents: readonly DocumentView[]): string[] {
  const found = new Set<string>();
  for (const document of documents) {
    if (document.deleted) continue;
    const parts = document.folder.split("/");
    for (let depth = 1; depth <= parts.length; depth++) found.add(parts.slice(0, depth).join("/"));
  }
  found.delete("");
  return [...found].sort(byName.compare);
}

/** What a person typed, as a folder: no empty steps, no slash at either end. */
export function cleanFolder(typed: string): string {
  return typed.split("/").map((step) => step.trim()).filter((step) => step !== "").join("/");
}
