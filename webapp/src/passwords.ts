// The module for passwords. Most people never use one, so it is loaded when somebody does, and dropped afterwards with the
// 64 MiB that its work took, which a module never gives back.

import { runModule } from "./module.ts";
import { PumpError } from "./pump.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Step = "register" | "signIn";

interface Begun {
  message: Bytes;
  finish(answer: Bytes): Promise<unknown>;
}

type Begin = (name: string, origin: string, password: Bytes) => Promise<Begun>;
type Judge = (password: Bytes, words: string[]) => Promise<unknown>;

interface Module extends Record<Step, Begin> {
  strength: Judge;
  end(): void;
  /** Rejects when the module has ended, asked or not: what it was doing never comes. */
  over: Promise<never>;
}

const idle = 300_000; // ms without use, after which nobody is at it any more

const scope = globalThis as unknown as { undersealPasswordHost?: { ready(register: Begin, signIn: Begin, strength: Judge, end: () => void): void } };
let loaded: Promise<Module> | null = null;
let loading: Promise<unknown> = Promise.resolve(); // the last one, so that one at a time finds the host
let timer: ReturnType<typeof setTimeout> | undefined;

async function load(): Promise<Module> {
  const { promise, resolve, reject } = Promise.withResolvers<Omit<Module, "over">>();
  let asked = false;
  scope.undersealPasswordHost = {
    ready: (register, signIn, strength, end) => resolve({ register, signIn, strength, end: () => ((asked = true), end()) }),
  };
  try {
    const { over } = await runModule(PASSWORD_URL, PASSWORD_SHA256);
    // Not asked, it ran out of memory.
    const ended = over.catch(() => undefined).then((): never => {
      throw new PumpError(asked ? "cancelled" : "unsupported");
    });
    ended.catch(reject);
    return { ...(await promise), over: ended };
  } finally {
    delete scope.undersealPasswordHost;
  }
}

function current(): Promise<Module> {
  clearTimeout(timer);
  timer = setTimeout(dropPasswords, idle);
  if (loaded) return loaded;
  const mine = loading.then(load, load);
  loaded = loading = mine;
  // One that failed to load, or has ended, is loaded anew by whoever comes next.
  mine.then((module) => module.over).catch(() => loaded === mine && (loaded = null));
  return mine;
}

function within<T>(module: Module, work: () => Promise<T>): Promise<T> {
  return Promise.race([module.over, Promise.resolve().then(work)]);
}

/** Begins to set a password, or to sign in with one. Whoever finishes it is done with passwords. */
export async function passwordBegin(step: Step, name: string, origin: string, password: Bytes): Promise<Begun> {
  const module = await current();
  const { message, finish } = await within(module, () => module[step](name, origin, password));
  return { message, finish: (answer) => within(module, () => finish(answer)).finally(dropPasswords) };
}

/** How good a password is. */
export async function passwordStrength(password: Bytes, words: string[]): Promise<unknown> {
  const module = await current();
  return within(module, () => module.strength(password, words));
}

/** Ends the module. Nothing holds its memory then. */
export function dropPasswords(): void {
  clearTimeout(timer);
  const mine = loaded;
  loaded = null;
  mine?.then((module) => module.end()).catch(() => undefined);
}
