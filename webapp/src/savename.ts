// A document's name was chosen by somebody else: before it becomes a file name on this disk, it loses everything that
// could make it land elsewhere, hide what it is, or be refused by the system.

const maxBytes = 200; // file systems take 255; browsers add " (1)" and ".crdownload"

// Separators, controls, what Windows refuses, and marks that reorder or hide text (RTL "gpj.exe").
const unwanted = /[\u0000-\u001f\u007f-\u009f/\\:*?"<>|\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\p{Surrogate}/gu;
const reserved = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9\u00b9\u00b2\u00b3]|lpt[0-9\u00b9\u00b2\u00b3])(?=\s*(\.|$))/i;

/** A name that is safe to save under; "document" when nothing is left of it. */
export function saveName(name: string): string {
  const plain = name.normalize("NFC").replace(unwanted, "_").replace(/^[.\s]+/, "").replace(/[.\s]+$/, "");
  const cut = shorten(plain);
  if (!/[^_]/u.test(cut)) return "document";
  return cut.replace(reserved, "_$1");
}

// The extension says what opens the file: it stays, the middle goes.
function shorten(name: string): string {
  if (bytes(name) <= maxBytes) return name;
  const dot = name.lastIndexOf(".");
  const extension = dot > 0 && bytes(name.slice(dot)) <= 20 ? name.slice(dot) : "";
  let stem = "";
  for (const character of name.slice(0, name.length - extension.length)) {
    if (bytes(stem) + bytes(character) + bytes(extension) > maxBytes) break;
    stem += character;
  }
  return stem.trimEnd() + extension;
}

function bytes(text: string): number {
  return new TextEncoder().encode(text).length;
}
