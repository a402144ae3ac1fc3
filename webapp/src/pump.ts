// Moves bodies between files and the server. It seals and opens with the keys it is handed, in the layout of
// keys/seal/pump.go, and decides nothing: which version, which chunks, which keys is Go's business.
//
// Every result buffer is given back at once: left to the collector, the renderer grows by gigabytes.

/** What went wrong, as a code of protocol/api or one of this file's: body-digest, body-open, body-padding. */
export class PumpError extends Error {
  readonly code: string;
  /** The server chose the code: it may say only what a server can say, never what this device found. */
  readonly wire: boolean;
  constructor(code: string, wire = false) {
    super(code);
    this.code = code;
    this.wire = wire;
  }
}

const SEGMENT = 262_144; // sealed
const OVERHEAD = 32; // length word 4, nonce 12, tag 16
const CONTENT = SEGMENT - OVERHEAD; // of a segment, in bytes of plaintext
const PER_CHUNK = 16; // segments
const CHUNK_CONTENT = PER_CHUNK * CONTENT;
const SEGMENTS_PER_KEY = 2 ** 20;
const NOT_FINAL = 0xff_ff_ff_ff;

interface Layout {
  length: number; // of the content
  padded: number; // of the plaintext: content, then zeros
  segments: number;
  chunks: number;
}

function layoutOf(length: number, padded: number): Layout {
  const segments = Math.max(1, Math.ceil(padded / CONTENT));
  return { length, padded, segments, chunks: Math.ceil(segments / PER_CHUNK) };
}

function plainSize(l: Layout, segment: number): number {
  return Math.min(CONTENT, l.padded - segment * CONTENT);
}

function segmentsOf(l: Layout, chunk: number): { first: number; count: number } {
  const first = chunk * PER_CHUNK;
  return { first, count: Math.min(PER_CHUNK, l.segments - first) };
}

function sealedSize(l: Layout, chunk: number): number {
  const { first, count } = segmentsOf(l, chunk);
  return (count - 1) * SEGMENT + plainSize(l, first + count - 1) + OVERHEAD;
}

function associatedData(segment: number, final: boolean): Uint8Array<ArrayBuffer> {
  const aad = new Uint8Array(9);
  new DataView(aad.buffer).setBigUint64(0, BigInt(segment));
  aad[8] = final ? 1 : 0;
  return aad;
}

const { port1: nowhere, port2: closed } = new MessageChannel();
closed.close();

/**
 * Gives a buffer's memory back without waiting for the collector, by posting it to nobody. transfer(0) gives back only
 * what a script allocated: Chromium holds on to what WebCrypto, a Blob or a response made.
 */
function release(buffer: ArrayBuffer): void {
  nowhere.postMessage(null, [buffer]);
}

/**
 * Counts the copy of a request's body, which Chromium keeps until it collects and does not count itself: 2 GiB were kept of
 * 2 GiB sent. A buffer that nobody touches takes no memory, and wakes the collector.
 */
function countCopy(size: number): void {
  new ArrayBuffer(size);
}

async function importKeys(raw: Uint8Array<ArrayBuffer>[], usage: "encrypt" | "decrypt"): Promise<CryptoKey[]> {
  const keys = await Promise.all(raw.map((key) => crypto.subtle.importKey("raw", key, "AES-GCM", false, [usage])));
  for (const key of raw) key.fill(0);
  return keys;
}

function keyOf(keys: CryptoKey[], segment: number): CryptoKey {
  const key = keys[Math.floor(segment / SEGMENTS_PER_KEY)];
  if (!key) throw new PumpError("internal");
  return key;
}

/** Runs work for 0..n-1, at most width at once; the first failure stops all and is thrown. */
async function inFlight(n: number, width: number, work: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  let failed = false;
  const lane = async () => {
    while (!failed && next < n) {
      try {
        await work(next++);
      } catch (thrown) {
        failed = true;
        throw thrown;
      }
    }
  };
  const lanes = Array.from({ length: Math.min(width, n) }, lane);
  const outcomes = await Promise.allSettled(lanes);
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
}

let turn: Promise<unknown> = Promise.resolve();

/** One chunk at a time is sealed or opened: more segments in flight push each other out of the processor's cache. */
function inTurn(work: () => Promise<void>): Promise<void> {
  const done = turn.then(work);
  turn = done.catch(() => undefined); // whoever waits for done is told
  return done;
}

/** Answers whatever a chunk request was answered with that is not a success, as a code. */
async function refusal(response: Response): Promise<PumpError> {
  try {
    const body: unknown = await response.json();
    if (typeof body === "object" && body !== null && "code" in body && typeof body.code === "string") return new PumpError(body.code, true);
  } catch {
    // not of this protocol: a proxy's page, or nothing
  }
  return new PumpError(response.status >= 500 ? "unavailable" : "internal");
}

/** Tells a connection that broke from everything else. */
async function online<T>(request: () => Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await request();
  } catch (thrown) {
    signal.throwIfAborted();
    throw thrown instanceof TypeError ? new PumpError("offline") : thrown;
  }
}

export interface SendJob {
  file: { file: File };
  length: number;
  padded: number;
  keys: Uint8Array<ArrayBuffer>[];
  present: number[];
  path(chunk: number): string;
  /** Headers of the PUT of a chunk, as JSON. */
  header(chunk: number, digest: Uint8Array): string;
  sealed(chunk: number, digest: Uint8Array): Promise<void>;
  stored(chunk: number, digest: Uint8Array, bytes: number): void;
  signal: AbortSignal;
}

const CHUNKS_UP = 3;
const SEGMENTS_AT_ONCE = 4;

export async function send(job: SendJob): Promise<void> {
  const l = layoutOf(job.length, job.padded);
  const keys = await importKeys(job.keys, "encrypt");
  const present = new Set(job.present);
  const missing = Array.from({ length: l.chunks }, (_, i) => i).filter((i) => !present.has(i));
  const rooms: ArrayBuffer[] = []; // used again: a fresh one costs more than what is done in it
  await inFlight(missing.length, CHUNKS_UP, async (i) => {
    const chunk = missing[i];
    if (chunk === undefined) return;
    job.signal.throwIfAborted();
    const room = rooms.pop() ?? new ArrayBuffer(sealedSize(l, 0));
    const sealed = await sealChunk(job.file.file, l, chunk, keys, room);
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", sealed));
    await job.sealed(chunk, digest);
    await put(job, chunk, sealed, digest);
    rooms.push(room);
    countCopy(sealed.length);
    const start = chunk * CHUNK_CONTENT;
    job.stored(chunk, digest, Math.max(0, Math.min(l.length, start + CHUNK_CONTENT) - start));
  });
}

/** Seals a chunk into a room that is large enough. Exported for the bench, which measures it beside raw WebCrypto. */
export async function sealChunk(file: Blob, l: Layout, chunk: number, keys: CryptoKey[], room: ArrayBuffer): Promise<Uint8Array<ArrayBuffer>> {
  const { first, count } = segmentsOf(l, chunk);
  const start = chunk * CHUNK_CONTENT;
  const content = await file.slice(Math.min(start, l.length), Math.min(start + CHUNK_CONTENT, l.length)).arrayBuffer();
  if (content.byteLength !== Math.max(0, Math.min(l.length, start + CHUNK_CONTENT) - start)) throw new PumpError("file-changed");
  const out = new Uint8Array(room, 0, sealedSize(l, chunk));
  const segments = async (i: number) => {
    const segment = first + i;
    const size = plainSize(l, segment);
    const final = segment === l.segments - 1;
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const cipher = await crypto.subtle.encrypt(
      { name: "AES-GCM", iv, additionalData: associatedData(segment, final) },
      keyOf(keys, segment),
      plaintext(content, i * CONTENT, size),
    );
    const at = i * SEGMENT;
    new DataView(out.buffer).setUint32(at, final ? size + OVERHEAD : NOT_FINAL);
    out.set(iv, at + 4);
    out.set(new Uint8Array(cipher), at + 16);
    release(cipher);
  };
  await inTurn(() => inFlight(count, SEGMENTS_AT_ONCE, segments));
  release(content);
  return out;
}

/** A segment's plaintext: a view of the content where it is all content, else a copy that ends in zeros. */
function plaintext(content: ArrayBuffer, from: number, size: number): Uint8Array<ArrayBuffer> {
  const have = Math.max(0, Math.min(content.byteLength - from, size));
  if (have === size) return new Uint8Array(content, from, size);
  const padded = new Uint8Array(size);
  if (have > 0) padded.set(new Uint8Array(content, from, have));
  return padded;
}

async function put(job: SendJob, chunk: number, body: Uint8Array<ArrayBuffer>, digest: Uint8Array): Promise<void> {
  const headers = { ...headersOf(job.header(chunk, digest)), "Content-Type": "application/octet-stream" };
  const response = await online(
    () => fetch(job.path(chunk), { method: "PUT", body, headers, signal: job.signal, redirect: "error", credentials: "same-origin" }),
    job.signal,
  );
  if (!response.ok) throw await refusal(response);
  await response.arrayBuffer(); // to the end, so that the connection is free
}

function headersOf(json: string): Record<string, string> {
  return JSON.parse(json) as Record<string, string>;
}

export interface Writer {
  write(bytes: Uint8Array<ArrayBuffer>, at: number): void;
  finish(length: number): void;
}

export interface FetchJob {
  sink: { open(length: number): Promise<Writer> };
  path: string;
  /** Headers of each GET, as JSON. */
  header(): string;
  length: number;
  padded: number;
  keys: Uint8Array<ArrayBuffer>[];
  digests: Uint8Array; // 32 bytes a chunk, already checked against the signed root
  progress(bytes: number): void;
  renew(): Promise<void>;
  signal: AbortSignal;
}

const CHUNKS_DOWN = 3;

export async function fetchBody(job: FetchJob): Promise<void> {
  const l = layoutOf(job.length, job.padded);
  const keys = await importKeys(job.keys, "decrypt");
  const writer = await job.sink.open(l.length);
  await inFlight(l.chunks, CHUNKS_DOWN, async (chunk) => {
    job.signal.throwIfAborted();
    const sealed = await get(job, chunk * PER_CHUNK * SEGMENT, sealedSize(l, chunk));
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", sealed));
    // Compared before anything is opened: a chunk out of place never reaches the cipher.
    if (!equal(digest, job.digests.subarray(32 * chunk, 32 * chunk + 32))) throw new PumpError("body-digest");
    await openChunk(new Uint8Array(sealed), l, chunk, keys, writer);
    release(sealed);
    const start = chunk * CHUNK_CONTENT;
    job.progress(Math.max(0, Math.min(l.length, start + CHUNK_CONTENT) - start));
  });
  writer.finish(l.length);
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

async function get(job: FetchJob, from: number, size: number): Promise<ArrayBuffer> {
  for (let attempt = 0; ; attempt++) {
    const headers = { ...headersOf(job.header()), Range: `bytes=${from}-${from + size - 1}` };
    const response = await online(() => fetch(job.path, { headers, signal: job.signal, redirect: "error", cache: "no-store", credentials: "same-origin" }), job.signal);
    if (response.status === 206) return online(() => exactly(response, size), job.signal);
    const refused = response.ok ? new PumpError("body-digest") : await refusal(response);
    if (refused.code !== "not-released" || attempt > 0) throw refused;
    await job.renew();
  }
}

/** Reads exactly size bytes, and never holds more of a server that sends more. */
async function exactly(response: Response, size: number): Promise<ArrayBuffer> {
  const out = new Uint8Array(size);
  let at = 0;
  const reader = response.body?.getReader();
  if (!reader) throw new PumpError("body-digest");
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (at + value.length > size) {
      await reader.cancel();
      throw new PumpError("body-digest");
    }
    out.set(value, at);
    at += value.length;
    release(value.buffer);
  }
  if (at !== size) throw new PumpError("body-digest");
  return out.buffer;
}

/** Exported for the bench. */
export async function openChunk(sealed: Uint8Array<ArrayBuffer>, l: Layout, chunk: number, keys: CryptoKey[], writer: Writer): Promise<void> {
  const { first, count } = segmentsOf(l, chunk);
  const view = new DataView(sealed.buffer, sealed.byteOffset, sealed.byteLength);
  const segments = async (i: number) => {
    const segment = first + i;
    const final = segment === l.segments - 1;
    const size = plainSize(l, segment);
    const at = i * SEGMENT;
    if (view.getUint32(at) !== (final ? size + OVERHEAD : NOT_FINAL)) throw new PumpError("body-open");
    const iv = sealed.subarray(at + 4, at + 16);
    const cipher = sealed.subarray(at + 16, at + OVERHEAD + size);
    const opened = await crypto.subtle.decrypt({ name: "AES-GCM", iv, additionalData: associatedData(segment, final) }, keyOf(keys, segment), cipher).catch(() => {
      throw new PumpError("body-open");
    });
    const start = segment * CONTENT;
    const content = Math.max(0, Math.min(l.length - start, size));
    if (content < size && new Uint8Array(opened, content).some((byte) => byte !== 0)) throw new PumpError("body-padding");
    if (content > 0) writer.write(new Uint8Array(opened, 0, content), start);
    release(opened);
  };
  await inTurn(() => inFlight(count, SEGMENTS_AT_ONCE, segments));
}

export { importKeys, layoutOf };
