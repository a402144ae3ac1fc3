// What a camera reads, drawn as the engine says (wasm/qr).

import { svg } from "./dom.ts";
import type { QR } from "./engine.ts";

const side = 4; // px of a module: whole ones, which are all of one width

export function qrPicture(id: string, label: string, { size, path }: QR): SVGSVGElement {
  const drawn = svg("svg", { id, class: "qr", viewBox: `0 0 ${size} ${size}`, width: size * side, height: size * side, role: "img", "aria-label": label, focusable: "false" });
  drawn.append(svg("path", { d: path }));
  return drawn;
}
