// Whether this tab had keys when its page was left: then a page that begins without them says why. Nothing else is kept.

const key = "underseal.opened";

export function keepOpened(opened: boolean) {
  try {
    if (opened) sessionStorage.setItem(key, "yes");
    else sessionStorage.removeItem(key);
  } catch {
    // Storage may be switched off: then nothing is said.
  }
}

export function wasOpened(): boolean {
  try {
    return sessionStorage.getItem(key) !== null;
  } catch {
    return false;
  }
}
