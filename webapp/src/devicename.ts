// What a device is called until its owner names it: the kind of browser and of system, as far as the browser says.

const browsers: readonly (readonly [RegExp, string])[] = [[/\bEdgA?\//, "Edge"], [/\bOPR\//, "Opera"], [/\b(Firefox|FxiOS)\//, "Firefox"], [/(Chrome|CriOS)\//, "Chrome"], [/\bSafari\//, "Safari"]];
const systems: readonly (readonly [RegExp, string])[] = [[/\bAndroid\b/, "Android"], [/\biPhone\b/, "iPhone"], [/\biPad\b/, "iPad"], [/\bWindows\b/, "Windows"], [/\bCrOS\b/, "ChromeOS"], [/\bMac OS X\b/, "Mac"], [/\bLinux\b/, "Linux"]];

/** Only words of these lists: what a browser says of itself is not taken over. */
export function deviceName(userAgent: string): string {
  const first = (list: readonly (readonly [RegExp, string])[], else_: string) => list.find(([pattern]) => pattern.test(userAgent))?.[1] ?? else_;
  return first(browsers, "Browser") + " on " + first(systems, "this device");
}
