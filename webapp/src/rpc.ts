// What crosses between the page and the worker: a call, its one reply, and events (engine.ts) nobody asked for.

import type { Failure, Method } from "./engine.ts";

export interface Request {
  id: number;
  method: Method;
  params: unknown;
}

export type Reply = { id: number; result: unknown } | { id: number; failure: Failure };

/** Somebody used the page: until then, requests are that person's. No reply. */
export interface Here {
  here: number; // ms since 1970
}
