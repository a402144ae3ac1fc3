import assert from "node:assert/strict";
import { test } from "node:test";
import { passwordBytes } from "./typed.ts";

test("a password is the same bytes on every keyboard", () => {
  const same: [string, string][] = [
    ["Zu\u0308rich \u00e9te", "Z\u00fcrich e\u0301te"],
    ["four\u00a0little\u3000words\u2009here", "four little words here"],
    ["\u212bngstr\u00f6m", "\u00c5ngstr\u00f6m"],
  ];
  for (const [one, other] of same) assert.deepEqual(passwordBytes(one), passwordBytes(other));
});

test("and no other password", () => {
  const different: [string, string][] = [
    ["Password", "password"],
    [" password", "password"],
    ["two  spaces", "two spaces"],
    ["\ufb01ne", "fine"],
    ["a\tb", "a b"],
  ];
  for (const [one, other] of different) assert.notDeepEqual(passwordBytes(one), passwordBytes(other));
});
