// Light or dark: what the system says, until the person says otherwise on this device.

import { say } from "./sentences.ts";
import { button } from "./ui.ts";
import { applyTheme, keepTheme } from "./theme-store.ts";

const system = matchMedia("(prefers-color-scheme: dark)");
let label: () => void = () => undefined; // of the button that is on the page
system.addEventListener("change", () => label());

export function themeButton(): HTMLElement {
  const node = button("", { id: "theme", class: "link" }, () => {
    keepTheme(isDark() ? "light" : "dark");
    applyTheme();
    label();
  });
  label = () => {
    node.textContent = isDark() ? say.nav.light : say.nav.dark;
    node.title = isDark() ? say.nav.toLight : say.nav.toDark;
  };
  label();
  return node;
}

function isDark(): boolean {
  const chosen = document.documentElement.dataset["theme"];
  return chosen ? chosen === "dark" : system.matches;
}
