// One passkey gesture. It runs here because workers have no navigator.credentials; what comes out goes straight to
// the worker. The PRF output opens the vault: it must reach no server, so it is cut from the JSON that will be sent.

import type { PasskeyResult } from "./engine.ts";
import { Refused } from "./engine-client.ts";

interface Options {
  publicKey: unknown;
  prfSalt: ArrayBuffer;
}

/** Makes a passkey that unlocks. secondTouch is called before a second prompt, which some authenticators need to give the PRF output. */
export async function createPasskey(options: Options, secondTouch: () => void): Promise<PasskeyResult> {
  const made = await createAnyPasskey(options, secondTouch);
  if (made.prf) return made;
  await forgetPasskey((made.credential as { id: string }).id, rpOf(options)); // it cannot unlock anything: it should not stay in somebody's list
  throw new Refused("no-prf");
}

/** Makes a passkey, which may be one that only signs in: then prf is null. */
export async function createAnyPasskey(options: Options, secondTouch: () => void): Promise<PasskeyResult> {
  needPasskeys();
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options.publicKey as PublicKeyCredentialCreationOptionsJSON);
  const credential = await gesture(() => navigator.credentials.create({ publicKey: withPRF(publicKey, options.prfSalt) }));
  const outputs = credential.getClientExtensionResults().prf;
  let prf = prfOutput(credential);
  if (!prf && outputs?.enabled) {
    secondTouch();
    prf = prfOutput(await gesture(() => navigator.credentials.get({ publicKey: onlyPRF(credential, publicKey.rp.id, options.prfSalt) })));
  }
  return { credential: withoutPRF(credential), prf };
}

/** Asks for a passkey that was made before. prf is null where it only signs in. */
export async function askPasskey(options: Options): Promise<PasskeyResult> {
  needPasskeys();
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options.publicKey as PublicKeyCredentialRequestOptionsJSON);
  const credential = await gesture(() => navigator.credentials.get({ publicKey: withPRF(publicKey, options.prfSalt) }));
  return { credential: withoutPRF(credential), prf: prfOutput(credential) };
}

function needPasskeys() {
  if (typeof PublicKeyCredential === "undefined" || !("parseCreationOptionsFromJSON" in PublicKeyCredential)) throw new Refused("no-passkeys");
}

// A salt always goes along: Windows Hello refuses an empty prf.
function withPRF<T extends { extensions?: AuthenticationExtensionsClientInputs }>(publicKey: T, salt: ArrayBuffer): T {
  return { ...publicKey, extensions: { ...publicKey.extensions, prf: { eval: { first: salt } } } };
}

// This assertion is thrown away, so its challenge need not be the server's.
function onlyPRF(credential: PublicKeyCredential, rpId: string | undefined, salt: ArrayBuffer): PublicKeyCredentialRequestOptions {
  return {
    challenge: crypto.getRandomValues(new Uint8Array(32)),
    allowCredentials: [{ type: "public-key", id: credential.rawId }],
    userVerification: "required",
    ...(rpId === undefined ? {} : { rpId }),
    extensions: { prf: { eval: { first: salt } } },
  };
}

function prfOutput(credential: PublicKeyCredential): ArrayBuffer | null {
  const first = credential.getClientExtensionResults().prf?.results?.first;
  if (!first) return null;
  const bytes = ArrayBuffer.isView(first) ? new Uint8Array(first.buffer, first.byteOffset, first.byteLength) : new Uint8Array(first);
  return bytes.slice().buffer;
}

/** The credential as JSON, as it may be sent. */
export function withoutPRF(credential: { toJSON(): unknown }): unknown {
  const json = credential.toJSON() as { clientExtensionResults?: { prf?: { results?: unknown; enabled?: boolean } } };
  const prf = json.clientExtensionResults?.prf;
  if (prf) delete prf.results;
  return json;
}

async function gesture(ask: () => Promise<Credential | null>): Promise<PublicKeyCredential> {
  try {
    const credential = await ask();
    if (credential instanceof PublicKeyCredential) return credential;
    throw new Refused("passkey-failed");
  } catch (thrown) {
    throw thrown instanceof Refused ? thrown : new Refused(codeOf(thrown));
  }
}

function codeOf(thrown: unknown): string {
  const name = thrown instanceof DOMException ? thrown.name : "";
  if (name === "NotAllowedError" || name === "AbortError") return "passkey-canceled";
  if (name === "InvalidStateError") return "passkey-exists";
  if (name === "SecurityError") return "passkey-origin";
  if (name === "NotSupportedError") return "no-prf";
  return "passkey-failed";
}

function rpOf(options: Options): string | undefined {
  return (options.publicKey as { rp?: { id?: string } }).rp?.id;
}

/** Tells the device that this site does not know a passkey any more, where the browser can. */
export async function forgetPasskey(credentialId: string, rpId = location.hostname) {
  if (typeof PublicKeyCredential === "undefined") return;
  const signal = (PublicKeyCredential as { signalUnknownCredential?: (p: { rpId: string; credentialId: string }) => Promise<void> }).signalUnknownCredential;
  await signal?.call(PublicKeyCredential, { rpId, credentialId }).catch(() => undefined);
}
