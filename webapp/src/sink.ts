// Where a download goes before it is handed over: a file in the origin's private file system, which nobody sees. It is
// shown to the person only after the last byte was verified, and removed otherwise.

import { PumpError } from "./pump.ts";
import type { Writer } from "./pump.ts";

const FOLDER = "downloads";

async function folder(): Promise<FileSystemDirectoryHandle> {
  const root = await navigator.storage.getDirectory();
  return root.getDirectoryHandle(FOLDER, { create: true });
}

/** Removes what earlier visits left: verified files that were saved, and others that never were. */
export async function clearSinks(): Promise<void> {
  const root = await navigator.storage.getDirectory();
  await root.removeEntry(FOLDER, { recursive: true }).catch(() => undefined); // there may be none, or another tab is at it
}

export class Sink {
  readonly #name = crypto.randomUUID();
  #access: FileSystemSyncAccessHandle | null = null;
  #verified = false;
  #ended = false;

  async open(length: number): Promise<Writer> {
    await this.discard();
    if (this.#ended) throw new PumpError("cancelled");
    const { quota, usage } = await navigator.storage.estimate();
    if (quota !== undefined && usage !== undefined && length > quota - usage) throw new PumpError("no-room");
    const handle = await (await folder()).getFileHandle(this.#name, { create: true });
    const access = await handle.createSyncAccessHandle();
    this.#access = access;
    if (this.#ended) {
      await this.discard();
      throw new PumpError("cancelled");
    }
    return {
      write: (bytes, at) => {
        if (access.write(bytes, { at }) !== bytes.length) throw new PumpError("no-room");
      },
      finish: (end) => {
        access.truncate(end);
        access.flush();
      },
    };
  }

  async commit(): Promise<void> {
    if (this.#ended) throw new PumpError("cancelled");
    this.#access?.close();
    this.#access = null;
    this.#verified = true;
  }

  async discard(): Promise<void> {
    this.#access?.close();
    this.#access = null;
    this.#verified = false;
    await (await folder()).removeEntry(this.#name).catch(() => undefined); // it may not be there yet
  }

  /** Discards for good: whatever is still on its way has nowhere to go. */
  async end(): Promise<void> {
    this.#ended = true;
    await this.discard();
  }

  /** The verified file. */
  async file(): Promise<File> {
    if (!this.#verified || this.#ended) throw new PumpError("not-here");
    return (await (await folder()).getFileHandle(this.#name)).getFile();
  }
}
