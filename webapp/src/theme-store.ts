// The chosen colours, kept on this device. Storage may be switched off: then the choice lasts as long as the page.

const key = "underseal.theme";

export function applyTheme() {
  const chosen = stored();
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset["theme"] = chosen;
}

export function keepTheme(theme: "light" | "dark") {
  document.documentElement.dataset["theme"] = theme;
  try {
    localStorage.setItem(key, theme);
  } catch {
    // The page still shows it.
  }
}

function stored(): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}
