import assert from "node:assert/strict";
import { test } from "node:test";
import { saveName } from "./savename.ts";

const cases: [name: string, want: string][] = [
  ["contract.pdf", "contract.pdf"],
  ["Vertrag für Müller.docx", "Vertrag für Müller.docx"],
  ["../../etc/passwd", "_.._etc_passwd"],
  ["..\\..\\boot.ini", "_.._boot.ini"],
  ["/absolute", "_absolute"],
  ["photo\u202egpj.exe", "photo_gpj.exe"],
  ["line\nbreak\u0000.txt", "line_break_.txt"],
  [".bashrc", "bashrc"],
  ["...", "document"],
  ["", "document"],
  ["   ", "document"],
  ["\u202e\u202e", "document"],
  ["CON", "_CON"],
  ["nul.txt", "_nul.txt"],
  ["com1 .log", "_com1 .log"],
  ["lpt\u00b9", "_lpt\u00b9"],
  ["console.log", "console.log"],
  ["C:evil.exe", "C_evil.exe"],
  ["trailing. . .", "trailing"],
  ["a\ud800b", "a_b"],
  ["حكم المحكمة.pdf", "حكم المحكمة.pdf"],
];

for (const [name, want] of cases) {
  test("saves " + JSON.stringify(name), () => assert.equal(saveName(name), want));
}

test("keeps the extension of a long name and stays below 200 bytes", () => {
  for (const letter of ["a", "ü", "漢", "🖋"]) {
    const got = saveName(letter.repeat(300) + ".pdf");
    assert.ok(new TextEncoder().encode(got).length <= 200, got);
    assert.ok(got.endsWith(letter + ".pdf"), got);
  }
});

test("is its own fixed point", () => {
  for (const [name] of cases) assert.equal(saveName(saveName(name)), saveName(name));
});
