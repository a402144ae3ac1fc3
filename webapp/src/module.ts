// Runs a Go module in the worker, after it is certain that it is the one of this build.

import "wasm_exec";
import { PumpError } from "./pump.ts";

interface GoRuntime {
  importObject: WebAssembly.Imports;
  run(instance: WebAssembly.Instance): Promise<void>;
}

/** Starts a module. over settles when it has ended. A module of another build is never run (attack 83). */
export async function runModule(url: string, sha256: string): Promise<{ over: Promise<void> }> {
  const response = await fetch(url).catch(() => null);
  if (!response?.ok) throw new PumpError("offline");
  const bytes = await response.arrayBuffer();
  const digest = [...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))].map((b) => b.toString(16).padStart(2, "0")).join("");
  if (digest !== sha256) throw new PumpError("stale-build");
  const go = new (globalThis as unknown as { Go: new () => GoRuntime }).Go();
  const { instance } = await WebAssembly.instantiate(bytes, go.importObject).catch(() => {
    throw new PumpError("unsupported");
  });
  return { over: go.run(instance) };
}
