// The worker, where Go runs. It gives the module what only a browser has (requests, records, files, WebCrypto, and the module
// for passwords), and passes the page's calls on.

import { deviceName } from "./devicename.ts";
import type { Failure } from "./engine.ts";
import { runModule } from "./module.ts";
import { dropPasswords, passwordBegin, passwordStrength } from "./passwords.ts";
import { PumpError, fetchBody, send } from "./pump.ts";
import type { FetchJob, SendJob } from "./pump.ts";
import { deleteRecord, getRecord, listRecords, putRecord } from "./records.ts";
import type { Here, Reply, Request } from "./rpc.ts";
import { Sink, clearSinks } from "./sink.ts";
import { passwordBytes } from "./typed.ts";

type Call = (method: string, params: string, secret: Uint8Array | null, objects: unknown[]) => Promise<string>;

interface Scope {
  undersealHost: unknown;
  postMessage(message: unknown): void;
}

const scope = globalThis as unknown as Scope;
let here = 0; // until when a person is taken to be behind what is asked
const MAX_REPLY = 64 * 1024 * 1024;

const { promise: ready, resolve: nowReady, reject: neverReady } = Promise.withResolvers<Call>();

scope.undersealHost = {
  origin: location.origin,
  deviceName: deviceName(navigator.userAgent),
  ready: (call: Call) => nowReady(call),
  event,
  request,
  get: getRecord,
  put: putRecord,
  delete: deleteRecord,
  list: listRecords,
  send: (job: SendJob) => send(job),
  fetchBody: (job: FetchJob) => fetchBody(job),
  passwordBegin,
  passwordStrength,
};

function event(json: string): void {
  const told = JSON.parse(json) as { event: string };
  if (told.event === "signed-out" || told.event === "locked" || told.event === "lied") void forget();
  scope.postMessage(told);
}

async function request(method: string, path: string, contentType: string, headersJSON: string, body: Uint8Array<ArrayBuffer> | null, signal: AbortSignal) {
  const headers = new Headers((JSON.parse(headersJSON) as Record<string, string> | null) ?? {});
  if (contentType) headers.set("Content-Type", contentType);
  if (Date.now() > here) headers.set("X-Underseal-Idle", "1"); // a poll or a retry: it keeps no session alive
  const response = await fetch(path, { method, headers, body, signal, redirect: "error", cache: "no-store", credentials: "same-origin" });
  return { status: response.status, body: await bounded(response) };
}

/** Reads an answer that nobody promised a length of: more than MAX_REPLY is not held. */
async function bounded(response: Response): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.length;
    if (size > MAX_REPLY) throw new PumpError("internal");
    parts.push(part);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

async function boot(): Promise<void> {
  await clearSinks();
  const { over } = await runModule(WASM_URL, WASM_SHA256);
  void over.finally(() => neverReady(new PumpError("internal")));
}

boot().catch((thrown: unknown) => neverReady(thrown instanceof PumpError ? thrown : new PumpError("unsupported")));

const sinks = new Map<string, Sink>();
const names = new Map<string, string>();
const leaving = new Set<Sink>(); // dismissed, and perhaps still being saved
const SAVING = 60_000; // ms in which the browser has opened what it saves
let visit = 0;

/** What was opened for somebody does not outlive the visit, nor a server that lied. */
async function forget(): Promise<void> {
  visit++;
  dropPasswords();
  const all = [...sinks.values(), ...leaving];
  for (const map of [sinks, names, leaving]) map.clear();
  await Promise.allSettled(all.map((sink) => sink.end()));
  await clearSinks().catch(() => undefined); // signing out goes on without it, and the next start clears too
}

/** Nobody is handed this document any more. A file that was just handed over stays until the browser has opened it. */
async function dismiss(transfer: string): Promise<void> {
  const sink = sinks.get(transfer);
  const handed = names.has(transfer);
  sinks.delete(transfer);
  names.delete(transfer);
  if (!sink) return;
  if (!handed) return sink.end();
  leaving.add(sink);
  setTimeout(() => leaving.delete(sink) && void sink.end(), SAVING);
}

/** Size, time of change and the ends of the content tell one file from another without reading it whole. */
async function describe(file: File): Promise<{ file: File; size: number; identity: string }> {
  const edge = 64 * 1024;
  const ends = new Blob([file.slice(0, edge), file.slice(Math.max(0, file.size - edge))]);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await ends.arrayBuffer()));
  return { file, size: file.size, identity: `${file.size}.${file.lastModified}.${[...digest].map((b) => b.toString(16).padStart(2, "0")).join("")}` };
}

async function handle(method: string, params: Record<string, unknown>): Promise<unknown> {
  const call = await ready;
  const { secret, rest } = splitSecret(params);
  switch (method) {
    case "upload": {
      const files = params["files"] as { path: string; file: File }[];
      const objects = await Promise.all(files.map(({ file }) => describe(file)));
      const described = files.map(({ path, file }) => ({ path, type: file.type }));
      return JSON.parse(await call(method, JSON.stringify({ ...rest, files: described }), null, objects));
    }
    case "uploadVersion":
    case "transferFile": {
      const file = params["file"] as File;
      return JSON.parse(await call(method, JSON.stringify({ ...rest, file: undefined, type: file.type }), null, [await describe(file)]));
    }
    case "download": {
      const mine = visit;
      const sink = new Sink();
      const result = JSON.parse(await call(method, JSON.stringify(rest), null, [sink])) as { transfer: string };
      if (mine !== visit) {
        await sink.end();
        throw new PumpError("cancelled");
      }
      sinks.set(result.transfer, sink);
      return result;
    }
    case "downloadFile":
      return downloadFile(call, String(params["transfer"]));
    case "transferDismiss": {
      const done: unknown = JSON.parse(await call(method, JSON.stringify(rest), null, []));
      await dismiss(String(params["transfer"]));
      return done;
    }
    case "lock":
    case "signOut":
      await forget(); // first: the server may be slow to answer
      try {
        return JSON.parse(await call(method, JSON.stringify(rest), null, []));
      } finally {
        await forget();
      }
  }
  const answer = call(method, JSON.stringify(rest), secret, []);
  secret?.fill(0); // Go has its copy, and clears it
  return withSalt(JSON.parse(await answer));
}

async function downloadFile(call: Call, transfer: string): Promise<{ name: string; file: File }> {
  const mine = visit;
  const sink = sinks.get(transfer);
  const { transfers } = JSON.parse(await call("transfers", "{}", null, [])) as { transfers: { id: string; name: string; phase: string }[] };
  const found = transfers.find((t) => t.id === transfer && t.phase === "done");
  const name = found?.name ?? names.get(transfer);
  if (!sink || name === undefined) throw new PumpError("not-here");
  if (mine !== visit) throw new PumpError("cancelled");
  names.set(transfer, name);
  const file = await sink.file();
  if (mine !== visit) throw new PumpError("cancelled");
  return { name, file };
}

/** The PRF output of a passkey, or a password, goes to Go as bytes and is in no JSON. */
function splitSecret(params: Record<string, unknown>): { secret: Uint8Array | null; rest: Record<string, unknown> } {
  const { passkey, password } = params;
  if (typeof password === "string") return { secret: passwordBytes(password), rest: { ...params, password: undefined } };
  if (typeof passkey !== "object" || passkey === null || !("prf" in passkey) || !("credential" in passkey)) return { secret: null, rest: params };
  return { secret: passkey.prf instanceof ArrayBuffer ? new Uint8Array(passkey.prf) : null, rest: { ...params, passkey: { credential: passkey.credential } } };
}

/** Go answers the salt in base64; the page wants an ArrayBuffer. */
function withSalt(result: unknown): unknown {
  if (typeof result !== "object" || result === null) return result;
  if ("passkey" in result && result.passkey !== null) return { ...result, passkey: withSalt(result.passkey) };
  if (!("prfSalt" in result) || typeof result.prfSalt !== "string") return result;
  return { ...result, prfSalt: Uint8Array.from(atob(result.prfSalt), (c) => c.charCodeAt(0)).buffer };
}

function failureOf(thrown: unknown): Failure {
  if (typeof thrown === "object" && thrown !== null && "code" in thrown && typeof thrown.code === "string") {
    const detail = "detail" in thrown && typeof thrown.detail === "string" ? thrown.detail : "";
    const wait = "wait" in thrown && typeof thrown.wait === "number" ? thrown.wait : 0;
    return { code: thrown.code, detail, wait };
  }
  return { code: "internal", detail: "", wait: 0 };
}

globalThis.onmessage = async (message: MessageEvent<Request | Here>) => {
  if ("here" in message.data) {
    here = message.data.here;
    return;
  }
  const { id, method, params } = message.data;
  let reply: Reply;
  try {
    reply = { id, result: await handle(method, (params ?? {}) as Record<string, unknown>) };
  } catch (thrown) {
    reply = { id, failure: failureOf(thrown) };
  }
  scope.postMessage(reply);
};
