// What a screen may ask of the worker, and what it is told. Screens get names, sizes and states: never a key.
// The worker (worker.ts) holds the Go module; this file is the whole contract between the two.

export type Id = string; // lower-case base32: 26 characters for objects, 52 for chains

/** A refusal, with a code of the closed set in protocol/api/codes.go. Sentences for codes live in sentences.ts. */
export interface Failure {
  code: string;
  /** What the person may do about it: nothing secret, may be empty. */
  detail: string;
  /** Seconds until it may be tried again, where somebody has to wait. */
  wait?: number;
}

/** What a camera reads: a drawing of the dark modules. */
export interface QR {
  size: number; // modules a side, with the light ones around
  path: string;
}

export type Role = "owner" | "paralegal" | "client" | "expert" | "auditor" | "reviewer";
export type InviteMode = "opens-at-once" | "after-i-confirm";

/** What there is to read about this product, once. */
export type Topic = "passkey" | "kit" | "invitations" | "who-sees-what";

/** One of them that somebody says he has read: when, by his own clock, and in which entry. */
export interface Reading {
  topic: Topic;
  at: number;
  position: number;
  matter: Id; // the chain that the entry is of
  matterName: string;
}

/** Everybody in a firm and its matters, for its owners. */
export interface Office {
  firm: Id;
  name: string;
  people: OfficePerson[];
}

/** Names, seats, ways and what was read are signed entries; server is the server's word, null where it knows nobody. */
export interface OfficePerson {
  member: Id;
  name: string; // "": in no matter of mine
  called: string[]; // other names that owners gave
  words: string[];
  isMe: boolean;
  seats: { matter: Id; name: string; role: Role; state: "seated" | "waiting" | "frozen" }[];
  ways: number; // 0: nothing of mine says
  read: Reading[];
  left: Left | null;
  alike: Alike[]; // others whom a name of his could be read as
  server: null | {
    passkeys: number;
    unlocking: number; // of those
    kit: boolean;
    password: boolean;
    app: boolean;
    passphrase: boolean;
    sso: boolean;
    enteredAt: number | null;
    sessions: number;
    failed: number; // sign-ins since the last one that succeeded
    lockedUntil: number | null;
  };
}

/** Somebody whom a name could be read as. The words tell the two apart. */
export interface Alike {
  member: Id | ""; // "": invited, and not there yet
  name: string;
  role: Role | "";
  state: "here" | "former" | "invited";
  words: string[];
  isMe: boolean;
}

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
  /** Ways to unlock, and what was read: this person’s own signed word. */
  ways: number;
  read: Reading[];
  left: Left | null; // in a firm itself
  /** Others whom this name could be read as. */
  alike: Alike[];
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
  alike: Alike[]; // whom this name could be read as
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
  /** Members whose keys are other ones than this matter is sealed to: nothing is added until an owner renews its keys. */
  newKeys: { member: Id; name: string; words: string[]; isMe: boolean }[];
}

export interface MatterSummary {
  matter: Id;
  firm: Id;
  name: string;
  myRole: Role | "";
  documents: number;
  people: number;
  changedAt: number;
  /**
   * waiting: my acceptance waits for an owner's confirmation. second-way: it goes on once I have two ways to unlock. refused: the
   * server's record of it does not verify. review: a reviewer's seat, which verifies and opens nothing. second-factor,
   * password-old: the firm asks for more than this session has. myRole is "" unless open or review.
   */
  state: "open" | "review" | "waiting" | "second-way" | "removed" | "refused" | "recovered" | "offline" | "unavailable" | "second-factor" | "password-old";
}

export interface Overview {
  name: string;
  firms: { firm: Id; name: string; mayCreateMatters: boolean }[];
  matters: MatterSummary[];
  kitSaved: boolean;
  /** Ways to unlock that this account has. */
  ways: number;
  /** There is one, and a first file was saved or sent: the moment to ask for a second. */
  wayDue: boolean;
  /** What this person has read. */
  read: Topic[];
  /** Attempts to sign in as this person since the last time: with another password, or with a wrong code after the right one. Told once. */
  failed: { passwords: number; codes: number } | null;
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

export interface Passkey {
  id: string; // of the credential, base64url
  name: string;
  createdAt: number;
  lastUsedAt: number | null;
  /** false: it has no PRF, so it signs in, and the kit unlocks. */
  unlocks: boolean;
}

export interface AccountView {
  name: string;
  account: Id;
  passkeys: Passkey[];
  password: { setAt: number } | null;
  /** The authenticator app. */
  app: { setAt: number } | null;
  kitSaved: boolean;
  ways: number;
  identities: { firm: Id; firmName: string; words: string[] }[];
  refusals: Refusal[]; // the sealed journal of refusals on this device
  renewal: Renewal;
  /** A device was revoked, and the keys that it has are still to be replaced. */
  rootDue: boolean;
}

/** In how many matters and firms this person's new keys are, and where they are not yet. */
export interface Renewal {
  done: number;
  total: number;
  left: { matter: Id; name: string; failure: Failure | null }[];
}

/** A browser or command line that this account was unlocked on. Times in ms. */
export interface Device {
  id: Id;
  name: string; // "": nobody named it
  createdAt: number;
  lastUsedAt: number;
  current: boolean;
  /** It was put out, and the account's keys are still those that it has. */
  revoked: boolean;
}

export interface Devices {
  devices: Device[]; // oldest first
  rootDue: boolean;
}

/** What a new device shows. path draws url in a square of size by size. */
export interface DeviceCode {
  code: string;
  url: string;
  expiresAt: number;
  qr: QR;
}

/** answered: another device read the code, and its words are to be compared. granted: its owner said yes there. */
export interface DeviceAsked {
  state: "waiting" | "answered" | "granted" | "refused";
  name: string; // of the account's owner, as that device says
  words: string[];
  expiresAt: number;
}

export interface DeviceAnswer {
  code: string;
  words: string[];
  expiresAt: number;
}

export interface Refusal {
  at: number;
  code: string;
  what: string;
  found: string;
  /** A file that shows others what the server did, where there is one. */
  evidence?: string;
}

/** Step two of three of any passkey gesture: made on the main thread, because workers have no navigator.credentials. */
export interface PasskeyResult {
  /** The credential as JSON with every clientExtensionResults.prf.results removed. */
  credential: unknown;
  /** The PRF output, transferred to the worker and nowhere else; null where the authenticator has none. */
  prf: ArrayBuffer | null;
}

/** What comes after the right password: a code of an app, a passkey, or either. */
export interface SecondStep {
  code: boolean;
  passkey: { publicKey: unknown; prfSalt: ArrayBuffer } | null;
}

/** What an authenticator app is set up with. path draws the QR code in a square of size by size, light around it. */
export interface AppSetup {
  secret: string;
  url: string;
  qr: QR;
}

export type PasswordWarning = "" | "common" | "word" | "name" | "personal" | "keyboard" | "repeat" | "sequence" | "date";
export type PasswordSuggestion = "more-words" | "spelling" | "nothing-own";

/** How good a new password would be: 3 and 4 are taken. */
export interface Strength {
  score: number; // 0 to 4
  guesses: number; // decimal logarithm
  warning: PasswordWarning;
  suggestions: PasswordSuggestion[];
  least: number; // characters
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

export type SessionMethod = "passkey" | "kit" | "passphrase" | "password" | "sso" | "device";

/** One place where this account is signed in. */
export interface Session {
  id: Id;
  createdAt: number;
  seenAt: number;
  method: SessionMethod;
  mfa: boolean; // two factors were shown
  current: boolean;
}

/** The identity provider of a firm that this account works in. Times in ms; 0 is never. */
export interface SSO {
  firm: Id;
  firmName: string;
  issuer: string; // as the server says
  linked: boolean;
  linkedAt: number;
  usedAt: number;
}

/** idle: nobody was here for long enough. absolute: the session reached its end. */
export type LockReason = "idle" | "absolute" | "asked";

/** idle and absolute in ms, the strictest of all firms; endsAt is when this session reaches its absolute end. */
export interface Timeouts {
  idle: number;
  absolute: number;
  endsAt: number;
}

/** The rules of a firm, as an owner signed them. Times in minutes, passwords in characters and days. */
export interface Rules {
  staffMFA: boolean;
  clientMFA: boolean;
  passwordLength: number; // 12 to 64
  passwordDays: number; // 0: never
  idle: number; // 1 to 480
  absolute: number; // 15 to 1440, and no less than idle
  oneSession: boolean;
  networks: string[]; // CIDR, at most 32; none: from anywhere
  recoveryK: number; // how many custodians must agree; 0: recovery is off
  recoveryHours: number; // 24 to 720: the time that everybody has to say no
  custodians: Custodian[];
}

/** Who holds a share of others' identities, by the keys it is sealed to. */
export interface Custodian {
  member: Id;
  fingerprint: Id;
}

export interface Policy extends Rules {
  by: string;
  at: number | null; // null: nobody has set any, these are the defaults
  /** Who can be a custodian, and who is one and cannot any more. */
  mayBeCustodians: (Custodian & { name: string; gone: boolean; words: string[]; alike: Alike[] })[];
}

/** A custodian of somebody's identity, as the firm's chain knows him. */
export interface Holder {
  member: Id;
  name: string;
  words: string[]; // of the keys that his share is sealed to
  gone: boolean; // he left, and agrees to nothing any more
  alike: Alike[]; // whom his name could be read as
}

/** What somebody left, with whom. reaches: enough of them are still here. */
export interface Left {
  k: number;
  hours: number;
  holders: Holder[];
  reaches: boolean;
}

/** What somebody left with the custodians of a firm, and what its rules offer. */
export interface Custody {
  firm: Id;
  firmName: string;
  /** The rules name enough custodians but oneself, and all of them are here. */
  offered: boolean;
  policy: number; // which rules: what is agreed to
  k: number;
  hours: number;
  holders: Holder[]; // who would hold it
  left: Left | null;
  /** It was left under other rules than hold now, or has ended: the person is asked anew. */
  again: boolean;
  /** Why nothing is left of what was: a recovery used it up, or other keys took the place of those that were left. */
  ended: "" | "recovered" | "renewed";
}

/** open: it goes on. expired: nobody came in time. ended: its member changed something himself, or left. */
export type RecoveryState = "open" | "expired" | "done" | "stopped" | "ended";

/** The handing back of somebody's identity. */
export interface Recovery {
  firm: Id;
  firmName: string;
  recovery: Id;
  member: Id;
  person: string;
  alike: Alike[]; // whom the person’s name could be read as
  isMine: boolean; // it is this person whom somebody asks for
  by: string;
  reason: string;
  at: number;
  opensAt: number; // by the clock of who began it
  until: number;
  state: RecoveryState;
  k: number;
  hours: number;
  agreed: number;
  holders: (Holder & { isMe: boolean; agreedAt: number | null })[];
  mayStop: boolean;
  mayAgree: boolean; // a custodian who did not yet, be it time or not
  agreesAt: number; // when this account may at the earliest
  endedBy: string;
  endedAt: number | null;
  endReason: string;
}

/** A recovery with who asks: the words of the new keys. null: nobody opened the link yet. */
export interface Ceremony extends Recovery {
  claim: null | { fingerprint: string; words: string[] };
}

export interface Recoveries {
  firm: Id;
  firmName: string;
  recoveries: Recovery[]; // newest first
  mayBegin: Holder[]; // whom this person may have handed back. gone: too few of their custodians are left
}

/** What a recovery's link opens to. Names are the word of who began it. */
export interface Offer {
  firm: Id;
  firmName: string;
  recovery: Id;
  person: string;
  by: string;
  k: number;
  hours: number;
  custodians: string[];
  opensAt: number; // by the server's clock; 0 where it is over
  until: number;
  asked: boolean; // this account asked already
  here: boolean; // this account is somebody in the firm, and cannot be another one there
}

/**
 * An identity that this account asks for. agreed: by enough. returning: cut off on the way back. taken: somebody else asked by
 * the same link.
 */
export interface Asking extends Offer {
  words: string[]; // of the new keys
  state: "waiting" | "agreed" | "returning" | "back" | "stopped" | "expired" | "done" | "gone" | "taken";
  agreed: number;
  secondWay: boolean; // is missing, and needed
  lost: number; // matters that are not open to what came back
  renewal: Renewal;
}

/** What somebody is to be told at once. */
export interface Alerts {
  asking: Asking[];
  recoveries: Recovery[];
  custodies: Custody[];
}

export type Sequence = "state" | "trail" | "server";

/** none: the firm named no witnesses. met: enough of them have vouched lately. stale: they have not. */
export type WitnessPolicy = "none" | "met" | "stale";

export interface Witness {
  name: string;
  /** When it last vouched for the log; null: never, as far as this device was shown. */
  at: number | null;
}

/** What was checked. There is no report with something false in it: a lie is a refusal. */
export interface VerifyReport {
  matter: Id;
  name: string;
  origin: string;
  size: number; // entries in the firm's log
  root: string;
  at: number;
  policy: WitnessPolicy;
  witnesses: Witness[];
  url: string; // of the public log
  sequences: { sequence: Sequence; entries: number; head: string; erased: number; complete: true }[];
  /** The documents and people on the screen were worked out from exactly these entries. */
  replayed: boolean;
  released: number | null; // auditors and owners only
  served: number | null;
  unpaired: { kind: "released" | "served" | "unsigned"; at: number; person: string; document: string; version: Id }[];
  erasures: { from: number; to: number; rule: ErasureRule; by: string; at: number }[];
  views: number; // members whose last seen state of the log was compared with ours
  took: number; // ms
}

export type ErasureRule = "retention" | "request";

export type ActivityKind =
  | "founded" | "renewed" | "removed" | "added" | "versioned" | "placed" | "deleted" | "renamed" | "invited" | "cancelled" | "accepted" | "admitted" | "erased" | "policy"
  | "new-keys" | "declared" | "unlocked" | "signed-out" | "escrowed" | "escrow-ended" | "recovery-begun" | "recovery-agreed" | "recovery-stopped";

/** What one entry of the matter did. */
export interface Activity {
  position: number;
  at: number;
  person: string;
  kind: ActivityKind;
  subject: string; // name of a document, person or matter; "" where there is none
  member: Id | ""; // whom an owner let in again or signed out, where that is a guest
  role: Role | ""; // of an invite
  documents: { document: Id; name: string; folder: string; size: number; kind: string }[];
  void: number; // parts of it that had no effect, because somebody else was first
  rule: ErasureRule | ""; // of an erasure
  why: string; // what its author gave as a reason
  ways: number; // to unlock, as its author says of himself
  read: Topic[]; // that its author says he has read
}

export type TrailKind = "opened" | "unsigned" | "served" | "session-opened" | "session-ended" | "sign-in-failed" | "denied" | "locked";

/** Who opened what, and what the server noted. */
export interface TrailItem {
  sequence: "trail" | "server";
  position: number;
  at: number;
  person: string;
  member: Id | "";
  kind: TrailKind;
  document: string;
  documentId: Id | "";
  version: Id | "";
  detail: string;
  erased: ErasureRule | "";
  /** opened with served, served with opened; null where it does not apply. */
  paired: boolean | null;
}

export interface LogStatus {
  origin: string;
  size: number;
  root: string;
  at: number;
  policy: WitnessPolicy;
  witnesses: Witness[];
  url: string; // of the public log
}

export interface TextFile {
  name: string;
  text: string;
}

export interface Calls {
  /** Called first. "signed-in": keys are in the worker. "locked": they were wiped, and the session is there. */
  start(): { state: "signed-out" | "signed-in" | "locked" };

  // First run. secret: what stands after # in the setup link.
  /** Whether the link can still be used, before anything is filled in. */
  setupOpen(p: { secret: string }): Record<string, never>;
  setupOptions(p: { secret: string; person: string; firm: string }): { publicKey: unknown; prfSalt: ArrayBuffer };
  setupFinish(p: { passkey: PasskeyResult } | { code: string }): Overview;
  /** After setupOptions, inviteOptions or recoveryOptions: a password in place of a passkey, with an app that setupFinish, inviteFinish or recoveryFinish takes a first code of. */
  enrolPassword(p: { login: string; password: string }): AppSetup;

  // A guest. fragment: what stands after # in the join link; the page strips it from the address before calling.
  inviteOpen(p: { fragment: string }): InviteView;
  inviteOptions(): { publicKey: unknown; prfSalt: ArrayBuffer };
  inviteFinish(p: { passkey: PasskeyResult } | { code: string }): { matter: Id; state: "open" | "waiting" };
  /** For somebody who is already signed in here. */
  inviteAccept(): { matter: Id; state: "open" | "waiting" };

  signinOptions(): { publicKey: unknown; prfSalt: ArrayBuffer };
  signinFinish(p: { passkey: PasskeyResult }): Overview;
  signinKit(p: { kit: string }): Overview;
  /** The names that somebody signed in with on this device. */
  logins(): { logins: string[] };
  /** Nobody is signed in by it: signinCode or signinSecond comes next. */
  signinPassword(p: { login: string; password: string }): SecondStep;
  signinCode(p: { code: string }): Overview;
  signinSecond(p: { passkey: PasskeyResult }): Overview;
  /** After a sign-in was refused with "unlock-elsewhere": the session is there, and this is what may unlock here. */
  unlockWays(): { passkey: boolean; password: boolean; kit: boolean };
  /** The password alone, where the session is there: after such a sign-in, or locked. Refused with "not-here" for another name. */
  unlockPassword(p: { login: string; password: string }): Overview;
  unlockKit(p: { kit: string }): Overview;
  /** After the browser came back from a firm's sign-in: whose session is there. Then unlockFinish or unlockKit. */
  takeUp(): Record<string, never>;
  unlockOptions(): { publicKey: unknown; prfSalt: ArrayBuffer };
  /** Refused with "unlock-elsewhere" where this passkey cannot: then unlockKit. */
  unlockFinish(p: { passkey: PasskeyResult }): Overview;
  /** The firms whose sign-in this device knows. */
  ssoFirms(): { firms: Id[] };
  signOut(): Record<string, never>;
  /** Wipes the keys from memory and keeps the session. Signing in again unlocks. */
  lock(p: { reason: LockReason }): Record<string, never>;
  timeouts(): Timeouts;

  // Changing what unlocks or signs in needs a fresh proof, or is refused with "prove-again".
  proveOptions(): { publicKey: unknown; prfSalt: ArrayBuffer };
  proveFinish(p: { passkey: PasskeyResult }): Record<string, never>;
  proveKit(p: { kit: string }): Record<string, never>;
  provePassword(p: { password: string }): Record<string, never>;
  proveCode(p: { code: string }): Record<string, never>;
  /** about: the name to sign in with, and what else a guesser would know. */
  passwordStrength(p: { about: string; password: string }): Strength;
  /** In place of the one before. Ends every other session. */
  passwordSet(p: { login: string; password: string }): Record<string, never>;
  passwordRemove(): Record<string, never>;
  /** In force with appFinish, in place of the app before. */
  appBegin(): AppSetup;
  appFinish(p: { code: string }): Record<string, never>;
  appRemove(): Record<string, never>;
  passkeyAddOptions(): { publicKey: unknown; prfSalt: ArrayBuffer };
  passkeyAddFinish(p: { passkey: PasskeyResult; name: string }): Record<string, never>;
  passkeyRename(p: { id: string; name: string }): Record<string, never>;
  passkeyRemove(p: { id: string }): Record<string, never>;
  sso(): { firms: SSO[] };
  /** path is the page to go to: the browser comes back without keys. */
  ssoLink(p: { firm: Id }): { path: string };
  ssoUnlink(p: { firm: Id }): Record<string, never>;
  /** On a device that knows nobody: begins to have it let in by another one. */
  deviceAsk(): DeviceCode;
  deviceAsked(): DeviceAsked;
  /** The person compared and said yes. Refused with "waiting" until he said so on the other device, too. */
  deviceTake(): Overview;
  /** On a device that is open: answers the code that a new one shows. Nothing is handed over by it. */
  deviceOpen(p: { code: string }): DeviceAnswer;
  deviceGrant(): Record<string, never>;
  deviceRefuse(): Record<string, never>;
  /** Whether the new device has signed in. */
  deviceDone(p: { unattended: boolean }): { done: boolean };
  devices(): Devices;
  deviceRename(p: { id: Id; name: string }): Record<string, never>;
  /** Its sessions have ended when this is answered. Then rootRenew is due. */
  deviceRevoke(p: { id: Id }): Devices;
  /** Replaces all keys of the account, after kitTest: the kit that was tested is in force, and everything else ends. Then renewalContinue. */
  rootRenew(): Record<string, never>;
  sessions(): { sessions: Session[] };
  sessionEnd(p: { id: Id }): Record<string, never>;
  /** All but this one. */
  sessionsEndOthers(): Record<string, never>;

  /** Owners of the firm. */
  office(p: { firm: Id }): Office;
  /** Forgives failed sign-ins, as an entry of the firm with its reason. */
  officeUnlock(p: { firm: Id; member: Id; reason: string }): Record<string, never>;
  /** Ends what somebody has open in the firm, as an entry with its reason. */
  officeSignOut(p: { firm: Id; member: Id; reason: string }): Record<string, never>;
  /** Who read what and when, as a table. */
  exportTraining(p: { firm: Id }): TextFile;

  /** For those who work there. */
  policy(p: { firm: Id }): Policy;
  /** Signs the rules as an entry of the firm. Owners. */
  policySet(p: { firm: Id; policy: Rules }): Policy;

  /** unattended: nobody asked for it. */
  alerts(p: { unattended: boolean }): Alerts;
  /** For those who work there. */
  custody(p: { firm: Id }): Custody;
  /** Leaves one's identity with those whom custody showed; policy says which rules that was. */
  custodyLeave(p: { firm: Id; policy: number }): Custody;
  custodyWithdraw(p: { firm: Id }): Custody;
  /** After a recovery: nothing is left with custodians again, and one is not asked any more. */
  custodyNothing(p: { firm: Id }): Record<string, never>;
  recoveries(p: { firm: Id }): Recoveries;
  /** The link is shown once. */
  recoveryBegin(p: { firm: Id; member: Id; reason: string }): { link: string };
  recoveryCeremony(p: { firm: Id; recovery: Id }): Ceremony;
  /** Hands one's share over to the keys that recoveryCeremony showed. */
  recoveryAgree(p: { firm: Id; recovery: Id; fingerprint: string }): Recovery;
  recoveryStop(p: { firm: Id; recovery: Id; reason: string }): Recovery;

  /** The side of who lost everything. */
  recoveryOpen(p: { fragment: string }): Offer;
  recoveryOptions(): { publicKey: unknown; prfSalt: ArrayBuffer };
  /** Makes the new account, and asks. */
  recoveryFinish(p: { passkey: PasskeyResult } | { code: string }): Asking;
  /** Asks with the account that is signed in. */
  recoveryAsk(): Asking;
  recoveryAsking(p: { unattended: boolean }): { asking: Asking[] };
  /** Once enough custodians agreed. Cut off, it goes on where it was. */
  recoveryTake(p: { recovery: Id }): Asking;
  recoveryForget(p: { recovery: Id }): Record<string, never>;
  /** Enters new keys wherever former ones still stand. Where nothing is left it asks for nothing. */
  renewalContinue(p: { unattended: boolean }): Renewal;

  overview(): Overview;
  /** This person has read something. Before there is an account it is kept for the one that is made. */
  acknowledge(p: { topics: Topic[] }): Record<string, never>;
  account(): AccountView;
  /** Makes a recovery kit. It is not in force until kitTest has seen a copy and kitConfirm is called; making another replaces it. ask: groups, from 1. */
  kitCreate(): { kit: string; ask: number[]; name: string; firms: string[]; madeAt: number };
  /** kit is what the copy says: the groups asked for, in order, or all. Where it differs, kit-typo names the group. */
  kitTest(p: { kit: string }): Record<string, never>;
  kitConfirm(): Record<string, never>;

  matterCreate(p: { firm: Id; name: string }): { matter: Id };
  matterOpen(p: { matter: Id }): MatterView;
  /** Looks for what is new. When there was something, the event "matter" says so. unattended: nobody asked for it. */
  matterRefresh(p: { matter: Id; unattended: boolean }): Record<string, never>;
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

  /** Whom a name could be read as in a matter. */
  namesLike(p: { matter: Id; name: string }): { alike: Alike[] };
  inviteCreate(p: { matter: Id; person: string; role: Role; mode: InviteMode; days: number }): { link: string; invite: Id };
  inviteConfirm(p: { matter: Id; invite: Id }): MatterView;
  inviteCancel(p: { matter: Id; invite: Id }): MatterView;
  memberRemove(p: { matter: Id; member: Id }): MatterView;
  /** Seals what comes to the new keys of these members, whom the person was shown. Owners. */
  renewKeys(p: { matter: Id; members: Id[] }): MatterView;

  refusalsExport(): TextFile;

  /** Checks everything there is of a matter, with the event "verify" on the way. */
  verifyMatter(p: { matter: Id }): VerifyReport;
  cancelVerify(p: { matter: Id }): Record<string, never>;
  /** Newest first, below before. For members who may open entries. */
  activity(p: { matter: Id; before: number | null; limit: number }): { items: Activity[]; next: number | null };
  /** Newest first; limit 0 is everything. Auditors and owners. */
  trail(p: { matter: Id; limit: number }): { items: TrailItem[]; more: boolean };
  /** Removes the sealed details of trail entries that are older; the leaves stay. Owners. */
  eraseTrail(p: { matter: Id; days: number }): { erased: number };
  logStatus(p: { firm: Id }): LogStatus;
  exportTrail(p: { matter: Id }): TextFile;
  exportLinkKeys(p: { matter: Id }): TextFile;
  exportPolicy(p: { firm: Id }): TextFile;
  exportReceipt(p: { matter: Id; sequence: "state" | "trail"; position: number }): TextFile;
  exportProof(p: { matter: Id }): { name: string; base64: string };
}

export type Method = keyof Calls;
export type Params<M extends Method> = Parameters<Calls[M]> extends [infer P] ? P : undefined;
export type Result<M extends Method> = ReturnType<Calls[M]>;

/** Pushed by the worker, unasked. */
export type Event =
  | { event: "transfer"; transfer: Transfer }
  | { event: "matter"; matter: Id } // something new was verified in it: ask matterOpen again
  | { event: "signed-out"; failure: Failure | null }
  | { event: "locked"; reason: LockReason }
  | { event: "verify"; matter: Id; done: number; total: number; step: string }
  | { event: "trail"; matter: Id; done: number; total: number }
  | { event: "renewal"; done: number; total: number }
  | { event: "lied"; failure: Failure; promised: string; shown: string; evidence?: string };
