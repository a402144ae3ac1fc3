// Who is measured: our pump as it ships, raw WebCrypto, and three libraries. Each seals content that lies in memory and
// opens what it sealed, and gives every buffer back as soon as it is used.

import * as age from "age-encryption";
import sodium from "libsodium-wrappers";
import * as openpgp from "openpgp";
import { importKeys, layoutOf, openChunk, sealChunk } from "../../webapp/src/pump.ts";

export type Bytes = Uint8Array<ArrayBuffer>;

const PIECE = 262_144;
const CHUNK = 16 * (PIECE - 32); // of content, as our pump cuts it
const PIECES_AT_ONCE = 4;
const CHUNKS_AT_ONCE = 3;

/** Takes opened content. Whoever calls it releases the bytes afterwards. */
export type Take = (content: Bytes, at: number) => void;

export interface Contender {
  /** Seals the content. Where kept is false every output is released at once; a library that answers one whole array ignores it. */
  seal(content: Content, kept: boolean): Promise<void>;
  /** Whether seal kept something to open. */
  sealed(): boolean;
  open(take: Take): Promise<void>;
}

/** Content in memory, cut as our pump reads it, so that nobody pays for a copy that another one does not. */
export class Content {
  readonly length: number;
  readonly chunks: Bytes[];

  constructor(length: number) {
    this.length = length;
    this.chunks = Array.from({ length: Math.ceil(length / CHUNK) }, (_, i) => made(i * CHUNK, Math.min(CHUNK, length - i * CHUNK)));
  }

  whole(): Bytes {
    const all = new Uint8Array(this.length);
    this.chunks.forEach((chunk, i) => all.set(chunk, i * CHUNK));
    return all;
  }

  /** A Blob of the kind that sealChunk reads: its slices are the chunks themselves. */
  blob(): Blob {
    const slice = (start: number) => ({ arrayBuffer: async () => this.chunks[start / CHUNK]?.buffer ?? new ArrayBuffer(0) });
    return { size: this.length, slice } as unknown as Blob;
  }
}

const pattern = crypto.getRandomValues(new Uint8Array(65_521)); // a prime: no piece looks like its neighbour

function made(at: number, size: number): Bytes {
  const out = new Uint8Array(size);
  for (let done = 0; done < size; ) {
    const from = (at + done) % pattern.length;
    const part = pattern.subarray(from, Math.min(pattern.length, from + size - done));
    out.set(part, done);
    done += part.length;
  }
  return out;
}

/** Whether bytes are those of the content at a place. */
export function same(bytes: Bytes, at: number): boolean {
  const want = made(at, bytes.length);
  return bytes.every((byte, i) => byte === want[i]);
}

const { port1: nowhere, port2: closed } = new MessageChannel();
closed.close();

// As the pump does it, and for its reason: transfer(0) would keep what WebCrypto made.
export function release(buffer: ArrayBuffer): void {
  nowhere.postMessage(null, [buffer]);
}

async function inFlight(n: number, width: number, work: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < n) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(width, n) }, lane));
}

const digest = (bytes: BufferSource) => crypto.subtle.digest("SHA-256", bytes);

export type Digests = "with digests" | "without digests";
export type Reading = "from memory" | "from a Blob";

async function ours(digests: Digests, reading: Reading): Promise<Contender> {
  const raw = crypto.getRandomValues(new Uint8Array(32));
  const [seal, open] = [await importKeys([raw.slice()], "encrypt"), await importKeys([raw.slice()], "decrypt")];
  let layout = layoutOf(0, 0);
  let out: Bytes[] = [];
  return {
    async seal(content, kept) {
      layout = layoutOf(content.length, content.length);
      const file = reading === "from a Blob" ? new Blob(content.chunks) : content.blob();
      const rooms: ArrayBuffer[] = [];
      await inFlight(layout.chunks, CHUNKS_AT_ONCE, async (i) => {
        const room = rooms.pop() ?? new ArrayBuffer(16 * PIECE);
        const sealed = await sealChunk(file, layout, i, seal, room);
        if (digests === "with digests") await digest(sealed);
        if (kept) out[i] = sealed;
        else rooms.push(room);
      });
    },
    sealed: () => out.length > 0,
    async open(take) {
      await inFlight(layout.chunks, CHUNKS_AT_ONCE, async (i) => {
        const sealed = out[i];
        if (!sealed) throw new Error("nothing sealed");
        if (digests === "with digests") await digest(sealed);
        await openChunk(sealed, layout, i, open, { write: take, finish: () => undefined });
        release(sealed.buffer);
      });
      out = [];
    },
  };
}

interface Piece {
  iv: Bytes;
  cipher: ArrayBuffer;
  at: number;
}

/** The fastest that a page can do by itself: pieces of 256 KiB, four in flight, nothing framed or joined. */
async function rawSubtle(digests: Digests | "with a digest a chunk"): Promise<Contender> {
  const key = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
  const stand = new Uint8Array(CHUNK);
  let out: Piece[] = [];
  return {
    async seal(content, kept) {
      const pieces = content.chunks.flatMap((chunk, c) =>
        Array.from({ length: Math.ceil(chunk.length / PIECE) }, (_, i) => ({ at: c * CHUNK + i * PIECE, bytes: chunk.subarray(i * PIECE, (i + 1) * PIECE) })),
      );
      await inFlight(pieces.length, PIECES_AT_ONCE, async (i) => {
        const piece = pieces[i];
        if (!piece) return;
        const chunk = content.chunks[piece.at / CHUNK];
        // As long as what our pump hashes, without a part of making it.
        if (chunk && digests === "with a digest a chunk") await digest(chunk);
        const iv = crypto.getRandomValues(new Uint8Array(12));
        const cipher = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, piece.bytes);
        if (digests === "with digests") await digest(cipher);
        if (kept) out[i] = { iv, cipher, at: piece.at };
        else release(cipher);
      });
    },
    sealed: () => out.length > 0,
    async open(take) {
      await inFlight(out.length, PIECES_AT_ONCE, async (i) => {
        const piece = out[i];
        if (!piece) return;
        if (digests === "with a digest a chunk" && piece.at % CHUNK === 0) await digest(stand);
        if (digests === "with digests") await digest(piece.cipher);
        const plain = await crypto.subtle.decrypt({ name: "AES-GCM", iv: piece.iv }, key, piece.cipher);
        release(piece.cipher);
        take(new Uint8Array(plain), piece.at);
        release(plain);
      });
      out = [];
    },
  };
}

async function secretstream(): Promise<Contender> {
  await sodium.ready;
  const key = sodium.crypto_secretstream_xchacha20poly1305_keygen();
  let out: Uint8Array[] = [];
  let header = new Uint8Array();
  return {
    async seal(content, kept) {
      const begun = sodium.crypto_secretstream_xchacha20poly1305_init_push(key);
      header = new Uint8Array(begun.header);
      for (const chunk of content.chunks) {
        for (let at = 0; at < chunk.length; at += PIECE) {
          const cipher = sodium.crypto_secretstream_xchacha20poly1305_push(begun.state, chunk.subarray(at, at + PIECE), null, sodium.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE);
          if (kept) out.push(cipher);
          else release(cipher.buffer as ArrayBuffer);
        }
      }
    },
    sealed: () => out.length > 0,
    async open(take) {
      const state = sodium.crypto_secretstream_xchacha20poly1305_init_pull(header, key);
      let at = 0;
      for (const cipher of out) {
        const pulled = sodium.crypto_secretstream_xchacha20poly1305_pull(state, cipher, null);
        if (!pulled) throw new Error("secretstream did not open");
        const plain = pulled.message as Bytes;
        take(plain, at);
        at += plain.length;
        release(plain.buffer);
        release(cipher.buffer as ArrayBuffer);
      }
      out = [];
    },
  };
}

function streamOf(parts: Uint8Array[]): ReadableStream<Uint8Array> {
  let i = 0;
  return new ReadableStream({
    pull(controller) {
      const part = parts[i++];
      if (part) controller.enqueue(part);
      else controller.close();
    },
  });
}

async function ageStream(): Promise<Contender> {
  const identity = await age.generateX25519Identity();
  const recipient = await age.identityToRecipient(identity);
  let out: Uint8Array[] = [];
  return {
    async seal(content, kept) {
      const encrypter = new age.Encrypter();
      encrypter.addRecipient(recipient);
      for await (const part of await encrypter.encrypt(streamOf(content.chunks))) if (kept) out.push(part);
    },
    sealed: () => out.length > 0,
    async open(take) {
      const decrypter = new age.Decrypter();
      decrypter.addIdentity(identity);
      let at = 0;
      for await (const part of await decrypter.decrypt(streamOf(out))) {
        take(part as Bytes, at);
        at += part.length;
      }
      out = [];
    },
  };
}

async function pgp(kind: "version 6, GCM" | "default"): Promise<Contender> {
  const config = { ...openpgp.config, aeadProtect: kind !== "default", preferredAEADAlgorithm: openpgp.enums.aead.gcm };
  const data = crypto.getRandomValues(new Uint8Array(32));
  const sessionKey = kind === "default" ? { data, algorithm: "aes256" } : { data, algorithm: "aes256", aeadAlgorithm: "gcm" };
  let out: Uint8Array | null = null;
  return {
    async seal(content) {
      const message = await openpgp.createMessage({ binary: content.whole() });
      out = (await openpgp.encrypt({ message, sessionKey: sessionKey as openpgp.SessionKey, format: "binary", config })) as Uint8Array;
    },
    sealed: () => out !== null,
    async open(take) {
      if (!out) throw new Error("nothing sealed");
      const message = await openpgp.readMessage({ binaryMessage: out });
      const { data: plain } = await openpgp.decrypt({ message, sessionKeys: [sessionKey as openpgp.SessionKey], format: "binary", config });
      take(plain as Bytes, 0);
      release((plain as Bytes).buffer);
      out = null;
    },
  };
}

export const contenders: Record<string, () => Promise<Contender>> = {
  "raw": () => rawSubtle("without digests"),
  "raw-digest": () => rawSubtle("with digests"),
  "raw-digest-4M": () => rawSubtle("with a digest a chunk"),
  "ours": () => ours("without digests", "from memory"),
  "ours-digest": () => ours("with digests", "from memory"),
  "ours-blob": () => ours("with digests", "from a Blob"),
  "libsodium": secretstream,
  "age": ageStream,
  "openpgp-v6": () => pgp("version 6, GCM"),
  "openpgp": () => pgp("default"),
};
