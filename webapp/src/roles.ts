// Which controls a role is shown. Convenience only: the state machine in protocol/chain decides, and so does the server.

import type { Role } from "./engine.ts";

interface Offer {
  read: boolean;
  add: boolean;
  arrange: boolean; // rename, move, delete
  people: boolean; // invite, confirm, remove
}

const offers: Record<Role, Offer> = {
  owner: { read: true, add: true, arrange: true, people: true },
  paralegal: { read: true, add: true, arrange: true, people: false },
  client: { read: true, add: true, arrange: false, people: false },
  expert: { read: true, add: false, arrange: false, people: false },
  auditor: { read: false, add: false, arrange: false, people: false },
  reviewer: { read: false, add: false, arrange: false, people: false },
};

export function offer(role: Role): Offer {
  return offers[role];
}
