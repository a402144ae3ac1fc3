// What a screen may ask of the worker, and what it is told. Screens get names, sizes and states: never a key.
// The worker (worker.ts) holds the Go module; this file is the whole contract between the two.

export type Id = string; // lower-case base32: 26 characters for objects, 52 for chains

/** A refusal, with a code of the closed set in protocol/api/codes.go. Sentences for codes live in sentences.ts. */
export interface Failure {
  code: string;
  /** What the person may do about it: nothing secret, may be empty. */
  detail: string;
}

export type Role = "owner" | "paralegal" | "client" | "expert" | "auditor" | "reviewer";
export type InviteMode = "opens-at-once" | "after-i-confirm";

export interface Person {
  member: Id;
  name: string;
  role: Role;
  words: string[]; // safety words of the fingerprint
  addedBy: string;
  addedAt: number; // author's clock, ms since 1970
  removedAt: number | null;
  isMe: boolean;
  /** Two guests accepted this seat: nobody was let in. */
  frozen: boolean;
}

export interface Invite {
  id: Id;
  person: string;
  role: Role;
  mode: InviteMode;
  expiresAt: number;
  createdBy: string;
  /** waiting: accepted by a guest, an owner must confirm. frozen: two guests accepted. */
  state: "open" | "waiting" | "seated" | "cancelled" | "expired" | "frozen";
  guestWords: string[]; // safety words of who came, when state is waiting
}

export interface Version {
  version: Id;
  size: number;
  author: string;
  at: number;
}

export interface DocumentView {
  document: Id;
  name: string;
  folder: string; // "" or "a/b", never a leading slash
  type: string; // media type
  size: number;
  version: Id;
  author: string;
  at: number;
  /** Who changed it last in any way (upload, rename, move), and when. */
  changedBy: string;
  changedAt: number;
  versions: Version[]; // newest first, includes the current one
  deleted: null | { by: string; at: number };
}

export interface MatterView {
  matter: Id;
  firm: Id;
  firmName: string;
  name: string;
  myRole: Role;
  epoch: number;
  documents: DocumentView[];
  people: Person[];
  invites: Invite[];
}

export interface MatterSummary {
  matter: Id;
  firm: Id;
  name: string;
  myRole: Role | "";
  documents: number;
  people: number;
  changedAt: number;
  /** waiting: my acceptance waits for an owner's confirmation. refused: the server's record of it does not verify. myRole is "" unless open. */
  state: "open" | "waiting" | "removed" | "refused" | "offline" | "unavailable";
}

export interface Overview {
  name: string;
  firms: { firm: Id; name: string; mayCreateMatters: boolean }[];
  matters: MatterSummary[];
  kitSaved: boolean;
  /** true after this person has saved a first file or made a first upload: the moment to ask for the kit. */
  kitDue: boolean;
}

export interface InviteView {
  firmName: string;
  matterName: string;
  inviter: string;
  inviterWords: string[];
  person: string;
  role: Role;
  mode: InviteMode;
  expiresAt: number;
}

export interface AccountView {
  name: string;
  account: Id;
  passkeys: { name: string; createdAt: number; lastUsedAt: number | null }[];
  kitSaved: boolean;
  identities: { firm: Id; firmName: string; words: string[] }[];
  refusals: { at: number; code: string; what: string; found: string }[]; // the sealed journal of refusals on this device
}

/** Step two of three of any passkey gesture: made on the main thread, because workers have no navigator.credentials. */
export interface PasskeyResult {
  /** The credential as JSON with every clientExtensionResults.prf.results removed. */
  credential: unknown;
  /** The PRF output, transferred to the worker and nowhere else; null where the authenticator has none. */
  prf: ArrayBuffer | null;
}

export interface Transfer {
  id: Id;
  direction: "up" | "down";
  matter: Id;
  document: Id | null;
  name: string;
  folder: string;
  phase: "queued" | "sealing" | "committing" | "fetching" | "verifying" | "saving" | "paused" | "waiting" | "done" | "cancelled" | "failed" | "needs-file";
  done: number; // bytes of the document
  total: number;
  bytesPerSecond: number;
  secondsLeft: number | null;
  failure: Failure | null;
}

export interface Calls {
  /** Called first. "signed-out": no session and no keys. "signed-in": keys are in the worker. */
  start(): { state: "signed-out" | "signed-in" };

  // First run. secret: what stands after # in the setup link.
  setupOptions(p: { secret: string; person: string; firm: string }): { publicKey: unknown; prfSalt: ArrayBuffer };
  setupFinish(p: { passkey: PasskeyResult }): Overview;

  // A guest. fragment: what stands after # in the join link; the page strips it from the address before calling.
  inviteOpen(p: { fragment: string }): InviteView;
  inviteOptions(): { publicKey: unknown; prfSalt: ArrayBuffer };
  inviteFinish(p: { passkey: PasskeyResult }): { matter: Id; state: "open" | "waiting" };
  /** For somebody who is already signed in here. */
  inviteAccept(): { matter: Id; state: "open" | "waiting" };

  signinOptions(): { publicKey: unknown; prfSalt: ArrayBuffer };
  signinFinish(p: { passkey: PasskeyResult }): Overview;
  signinKit(p: { kit: string }): Overview;
  signOut(): Record<string, never>;

  overview(): Overview;
  account(): AccountView;
  /** Makes a recovery kit. It is not in force until kitConfirm; making another replaces it. */
  kitCreate(): { kit: string; name: string; firms: string[]; madeAt: number };
  kitConfirm(): Record<string, never>;

  matterCreate(p: { firm: Id; name: string }): { matter: Id };
  matterOpen(p: { matter: Id }): MatterView;
  /** Looks for what is new. When there was something, the event "matter" says so. */
  matterRefresh(p: { matter: Id }): Record<string, never>;
  matterRename(p: { matter: Id; name: string }): MatterView;

  /** One entry for the whole drop. path is "folder/name" as dropped. */
  upload(p: { matter: Id; folder: string; files: { path: string; file: File }[] }): { transfers: Id[] };
  /** A new version of one document. */
  uploadVersion(p: { matter: Id; document: Id; file: File }): { transfers: Id[] };
  /** Carry on an upload after a reload: the person picks the file again. */
  transferFile(p: { transfer: Id; file: File }): Record<string, never>;
  transferPause(p: { transfer: Id }): Record<string, never>;
  transferResume(p: { transfer: Id }): Record<string, never>;
  transferCancel(p: { transfer: Id }): Record<string, never>;
  transferDismiss(p: { transfer: Id }): Record<string, never>;
  transfers(): { transfers: Transfer[] };

  /** Fetches, verifies whole, then answers the verified file for the page to save. Progress comes as events. */
  download(p: { matter: Id; document: Id; version?: Id }): { transfer: Id };
  /** The verified bytes of a finished download, to hand to the person's disk. */
  downloadFile(p: { transfer: Id }): { name: string; file: File };

  documentRename(p: { matter: Id; document: Id; name: string }): MatterView;
  documentMove(p: { matter: Id; documents: Id[]; folder: string }): MatterView;
  documentDelete(p: { matter: Id; documents: Id[] }): MatterView;

  inviteCreate(p: { matter: Id; person: string; role: Role; mode: InviteMode; days: number }): { link: string; invite: Id };
  inviteConfirm(p: { matter: Id; invite: Id }): MatterView;
  inviteCancel(p: { matter: Id; invite: Id }): MatterView;
  memberRemove(p: { matter: Id; member: Id }): MatterView;

  refusalsExport(): { name: string; text: string };
}

export type Method = keyof Calls;
export type Params<M extends Method> = Parameters<Calls[M]> extends [infer P] ? P : undefined;
export type Result<M extends Method> = ReturnType<Calls[M]>;

/** Pushed by the worker, unasked. */
export type Event =
  | { event: "transfer"; transfer: Transfer }
  | { event: "matter"; matter: Id } // something new was verified in it: ask matterOpen again
  | { event: "signed-out"; failure: Failure | null }
  | { event: "lied"; failure: Failure; promised: string; shown: string };
