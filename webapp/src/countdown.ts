// The last minutes before keys are wiped: a bar over everything, with one button. It is a popover, so that an open dialog
// does not hide it.

import { fill, h } from "./dom.ts";
import type { Cause, Standing } from "./presence.ts";
import { timeLeft } from "./format.ts";
import { say } from "./sentences.ts";
import { announce, button } from "./ui.ts";

const t = say.countdown;
const spoken = [120, 60, 30, 10]; // seconds left at which it is said aloud

interface Choices {
  stay(): void;
  lock(): void;
}

export class Countdown {
  readonly node = h("section", { id: "countdown", class: "countdown", popover: "manual", "aria-label": t.label, hidden: true });
  readonly #left = h("span", { class: "countdown-left", role: "timer", "aria-live": "off" });
  readonly #choices: Choices;
  #cause: Cause | null = null;
  #said = Infinity;

  constructor(choices: Choices) {
    this.#choices = choices;
  }

  show(now: Standing) {
    if (now.state !== "ending") return this.#hide();
    if (this.#cause !== now.cause) this.#open(now.cause);
    const left = Math.ceil(now.left / 1000);
    const text = timeLeft(left);
    if (this.#left.textContent !== text) this.#left.textContent = text;
    const next = spoken.find((at) => at < this.#said && left <= at && left > at - 5);
    if (next === undefined) return;
    this.#said = next;
    announce(t.spoken[now.cause](left));
  }

  #open(cause: Cause) {
    this.#cause = cause;
    this.#said = Infinity;
    this.node.dataset["cause"] = cause;
    fill(this.node,
      h("p", {}, t.what[cause], " ", this.#left),
      cause === "idle"
        ? button(t.stay, { id: "countdown-stay", class: "primary" }, () => this.#choices.stay())
        : button(t.again, { id: "countdown-again" }, () => this.#choices.lock()));
    this.node.hidden = false;
    if (this.node.isConnected) this.node.showPopover();
  }

  #hide() {
    if (this.#cause === null) return;
    this.#cause = null;
    if (this.node.matches(":popover-open")) this.node.hidePopover();
    this.node.hidden = true;
    fill(this.node);
    announce(""); // what was said holds no longer
  }
}
