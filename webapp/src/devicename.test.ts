import assert from "node:assert/strict";
import test from "node:test";
import { deviceName } from "./devicename.ts";

test("the kind of browser and system", () => {
  const kit = "AppleWebKit/537.36 (KHTML, like Gecko)";
  const cases: Record<string, string> = {
    [`Mozilla/5.0 (X11; Linux x86_64) ${kit} Chrome/142.0.0.0 Safari/537.36`]: "Chrome on Linux",
    [`Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${kit} Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0`]: "Edge on Windows",
    [`Mozilla/5.0 (Linux; Android 16; Pixel) ${kit} Chrome/142.0.0.0 Mobile Safari/537.36`]: "Chrome on Android",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1": "Safari on iPhone",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:145.0) Gecko/20100101 Firefox/145.0": "Firefox on Mac",
    "": "Browser on this device",
  };
  for (const [userAgent, want] of Object.entries(cases)) assert.equal(deviceName(userAgent), want);
});
