// Which controls a role is shown. Convenience only: the state machine in protocol/chain decides, and so does the server.

import type { Role } from "./engine.ts";

interface Offer {
  read: boolean;
  add: boolean;
  arrange: boolean; // rename, move, delete
  people: boolean; // invite, confirm, remove
  trail: boolean; // who opened what
  erase: boolean; // old details of the trail
}

const offers: Record<Role, Offer> = {
  owner: { read: true, add: true, arrange: true, people: true, trail: true, erase: true },
  paralegal: { read: true, add: true, arrange: true, people: false, trail: false, erase: false },
  client: { read: true, add: true, arrange: false, people: false, trail: false, erase: false },
  expert: { read: true, add: false, arrange: false, people: false, trail: false, erase: false },
  auditor: { read: false, add: false, arrange: false, people: false, trail: true, erase: false },
  reviewer: { read: false, add: false, arrange: false, people: false, trail: false, erase: false },
};

export function offer(role: Role): Offer {
  return offers[role];
}
