// The one way this program makes elements. Text goes in as text nodes; the attributes are a closed list, which
// leaves no door for markup, inline styles or inline handlers.

type Attribute =
  | "id" | "class" | "type" | "name" | "value" | "for" | "href" | "role" | "title" | "lang" | "dir" | "tabindex" | "hidden"
  | "disabled" | "checked" | "required" | "readonly" | "multiple" | "webkitdirectory" | "maxlength" | "min" | "max"
  | "placeholder" | "autocomplete" | "autocapitalize" | "spellcheck" | "enterkeyhint" | "list" | "rows" | "open" | "datetime"
  | "scope" | "selected" | "inputmode" | "popover" | "novalidate" | "download" | `data-${string}` | `aria-${string}`;

type Listeners = { [E in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[E]) => void };

export type Props = { [A in Attribute]?: string | number | boolean | null } & { on?: Listeners };
export type Child = Node | string | number | null | false | Child[];

export function h<K extends keyof HTMLElementTagNameMap>(tag: K, props: Props = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  const { on, ...attributes } = props;
  for (const [name, value] of Object.entries(attributes)) setAttribute(element, name, value);
  for (const [type, listener] of Object.entries(on ?? {})) element.addEventListener(type, listener as EventListener);
  append(element, children);
  return element;
}

function setAttribute(element: Element, name: string, value: string | number | boolean | null | undefined) {
  if (value === null || value === undefined || value === false) return;
  element.setAttribute(name, value === true ? "" : String(value));
}

function append(parent: Element, children: Child[]) {
  for (const child of children) {
    if (child === null || child === false) continue;
    if (Array.isArray(child)) append(parent, child);
    else parent.append(child instanceof Node ? child : String(child));
  }
}

/** Puts children in the place of everything that is in parent. */
export function fill(parent: Element, ...children: Child[]) {
  parent.replaceChildren();
  append(parent, children);
}

/** A small drawing: each path is one "d". Decoration, so hidden from screen readers. */
export function drawing(className: string, viewBox: string, ...paths: string[]): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", viewBox);
  svg.setAttribute("class", className);
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("focusable", "false");
  for (const d of paths) {
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

type Geometry =
  | "viewBox" | "preserveAspectRatio" | "class" | "id" | "d" | "x" | "y" | "width" | "height" | "cx" | "cy" | "r" | "rx" | "x1" | "y1" | "x2" | "y2"
  | "text-anchor" | "role" | "focusable" | `aria-${string}` | `data-${string}`;

/** A part of a drawing. How it looks is said by its class, in style.css. */
export function svg<K extends keyof SVGElementTagNameMap>(tag: K, props: { [A in Geometry]?: string | number }, ...children: Child[]): SVGElementTagNameMap[K] {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(props)) setAttribute(element, name, value);
  append(element, children);
  return element;
}

export interface Row<T> {
  node: Element;
  update(item: T): void;
}

/**
 * Keeps the children of parent equal to a list, by key: a row that stays is updated, never made again, so that focus,
 * selection and scrolling survive and a list of a thousand costs what changed.
 */
export function keyedList<T>(parent: Element, key: (item: T) => string, make: (item: T) => Row<T>): (items: readonly T[]) => void {
  let rows = new Map<string, Row<T>>();
  return (items) => {
    const next = new Map<string, Row<T>>();
    let place = parent.firstElementChild;
    for (const item of items) {
      const id = key(item);
      const known = rows.get(id);
      const row = known ?? make(item);
      if (known) known.update(item);
      next.set(id, row);
      if (row.node === place) place = place.nextElementSibling;
      else parent.insertBefore(row.node, place);
    }
    for (const [id, row] of rows) if (!next.has(id)) row.node.remove();
    rows = next;
  };
}

/** The element with this id; it is in index.html, or the program is broken. */
export function byId(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (!element) throw new Error("no #" + id);
  return element;
}
