// What screens know of the program around them.

import type { Event, Id, MatterSummary, MatterView, Overview, Topic } from "./engine.ts";
import type { Engine } from "./engine-client.ts";
import type { Transfers } from "./transfers.ts";

export interface Screen {
  node: HTMLElement;
  /** Told of every event while the screen is shown. */
  event?(event: Event): void;
  /** Told once, when another screen takes its place. */
  leave?(): void;
}

/** A link that opens something for whoever holds it. */
export interface Link {
  path: "/join" | "/recover" | "/device";
  fragment: string;
}

export interface App {
  readonly engine: Engine;
  readonly transfers: Transfers;
  /** Goes to a page of this site: "/", "/account", "/m/{matter}". */
  go(path: string): void;
  /** Shows a screen without changing the address. */
  show(screen: Screen): void;
  /** Keys are in the worker now. */
  signedIn(overview: Overview): void;
  /** The newest overview, asked again. */
  refresh(): Promise<Overview>;
  /** What the newest overview says of a matter, without asking. */
  summary(matter: Id): MatterSummary | null;
  /** What the newest overview says of a firm, without asking. */
  firm(firm: Id): Overview["firms"][number] | null;
  /** What somebody is told above every page may be something else now. */
  alertsChanged(): void;
  /** The times after which a session ends may be others now. */
  limitsChanged(): void;
  /** Makes a kit, then goes to a page. */
  makeKit(then: string, mayWait: boolean): void;
  /** Makes a second way to unlock, then goes to a page. after is what was held up by the lack of it. */
  secondWay(then: string, after?: () => void): void;
  /** Whether this person has read something, and that he has just now: once is for good. */
  hasRead(topic: Topic): boolean;
  acknowledge(topic: Topic): void;
  /** A link of an invite, a recovery or a new device with what stood after #, kept while somebody signs in first. */
  readonly link: Link | null;
  dropLink(): void;
}

/** Something answered a matter as it is now. */
export type Changed = (view: MatterView) => void;
