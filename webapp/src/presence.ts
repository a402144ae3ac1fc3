// Is somebody here? Real input and moving transfers count as use; polls do not. Before the keys are wiped there is a
// countdown, and after a pause of any kind, a closed lid too, the clock decides and not the timer.

import type { LockReason, Timeouts } from "./engine.ts";

/** How long before an end it is counted down. */
export const warnBefore = 120_000; // ms

export type Cause = Exclude<LockReason, "asked">;

export type Standing =
  | { state: "here" }
  | { state: "ending"; cause: Cause; left: number } // ms
  | { state: "over"; cause: Cause };

/** Where a session stands at a moment. A clock that was set back gives nobody more time than a whole idle span. */
export function standing(limits: Timeouts, lastUse: number, now: number): Standing {
  const idle = Math.min(limits.idle - (now - lastUse), limits.idle);
  const absolute = limits.endsAt - now;
  const cause: Cause = absolute <= idle ? "absolute" : "idle";
  const left = Math.min(idle, absolute);
  if (left <= 0) return { state: "over", cause };
  // A firm may ask for a minute: then it is counted down only in the second half of it.
  const warn = cause === "idle" ? Math.min(warnBefore, limits.idle / 2) : warnBefore;
  return left <= warn ? { state: "ending", cause, left } : { state: "here" };
}

const slack = 300_000; // ms: what a sign-in may take from its first step to the keys

/**
 * The limits with their end by this device's clock, which may be hours away from the server's. Where the two agree about
 * when the session was opened, the server's word is taken; elsewhere the span counts, from when keys came into this page.
 */
export function byThisClock(limits: Timeouts, begun: number): Timeouts {
  const since = begun - (limits.endsAt - limits.absolute);
  const agree = since > -5_000 && since < slack;
  return agree ? limits : { ...limits, endsAt: begun + limits.absolute };
}

/** How often use is told to the server, which counts for itself. */
export function touchEvery(limits: Timeouts): number {
  return Math.min(limits.idle / 4, 300_000);
}

interface Watched {
  timeouts(): Promise<Timeouts>;
  /** Tells the server that somebody is here. */
  touch(): Promise<unknown>;
  /** A transfer is under way. */
  moving(): boolean;
  /** Somebody used this page, now; told at most every few seconds. */
  used(at: number): void;
  show(standing: Standing): void;
  over(cause: Cause): void;
}

// What a person does, also by voice, with an input method or while dragging a file, when there is no pointer and no key.
const inputs = ["pointerdown", "pointermove", "keydown", "wheel", "touchmove", "click", "input", "dragover"] as const;
const byDefault = { idle: 900_000, absolute: 43_200_000 }; // ms
const tick = 500; // ms
const tellEvery = 3_000; // ms
const askEvery = 60_000; // ms

/** Watches over one signed-in page, from begin to stop. */
export class Presence {
  readonly #watched: Watched;
  #limits: Timeouts | null = null;
  #begun = 0;
  #checked = 0;
  #lastUse = 0;
  #touched = 0;
  #told = 0;
  #asked = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  readonly #input = (event: globalThis.Event) => {
    if (event.isTrusted && !still(event)) this.use();
  };
  readonly #look = () => this.#check();

  constructor(watched: Watched) {
    this.#watched = watched;
  }

  begin() {
    this.stop();
    this.#lastUse = this.#touched = this.#begun = this.#checked = Date.now();
    // Until the server has said what holds, and where it cannot be reached, what holds by default.
    this.#limits = { ...byDefault, endsAt: this.#begun + byDefault.absolute };
    for (const input of inputs) document.addEventListener(input, this.#input, { capture: true, passive: true });
    document.addEventListener("visibilitychange", this.#look);
    this.#timer = setInterval(this.#look, tick);
    this.ask();
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#limits = null;
    for (const input of inputs) document.removeEventListener(input, this.#input, { capture: true });
    document.removeEventListener("visibilitychange", this.#look);
    this.#watched.show({ state: "here" });
  }

  /** The limits may have changed. */
  ask() {
    this.#asked = Date.now();
    const timer = this.#timer;
    this.#watched.timeouts().then((limits) => {
      if (timer === this.#timer && timer !== undefined) this.#limits = byThisClock(limits, this.#begun);
      this.#check();
    }, () => undefined); // it is asked again
  }

  /** Somebody is here. Whoever comes back after the end does not undo it by moving the mouse. */
  use(at = Date.now(), elsewhere = false) {
    if (this.#timer === undefined || !this.#check()) return;
    this.#lastUse = Math.max(this.#lastUse, Math.min(at, Date.now()));
    if (!elsewhere && this.#lastUse - this.#told > tellEvery) this.#watched.used((this.#told = this.#lastUse));
    this.#check();
  }

  /** Acts on the clock, and answers whether the session goes on. */
  #check(): boolean {
    const now = Date.now();
    if (this.#timer === undefined) return false;
    if (Math.abs(now - this.#asked) > askEvery) this.ask();
    if (!this.#limits) return true;
    if (this.#lastUse > now) this.#lastUse = now; // the clock was set back
    // Browsers look in on a hidden tab once a minute. A longer gap is a lid that was closed on a transfer.
    if (this.#watched.moving() && now - this.#checked < 90_000) this.#lastUse = now;
    this.#checked = now;
    const found = standing(this.#limits, this.#lastUse, now);
    if (found.state === "over") {
      this.stop();
      this.#watched.over(found.cause);
      return false;
    }
    this.#watched.show(found);
    this.#touch(now, this.#limits);
    return true;
  }

  // What is done in the page alone is use as well, and the server must hear of it before it counts somebody out.
  #touch(now: number, limits: Timeouts) {
    if (this.#lastUse <= this.#touched || now - this.#touched < touchEvery(limits)) return;
    this.#touched = now;
    this.#watched.touch().catch(() => undefined); // offline is said elsewhere
  }
}

// A browser sends a pointermove when the page moves under a mouse that lies still.
function still(event: globalThis.Event): boolean {
  return event.type === "pointermove" && event instanceof PointerEvent && event.movementX === 0 && event.movementY === 0;
}
