// The page's end of the worker: typed calls, and events.

import type { Event, Failure, Method, Params, Result } from "./engine.ts";
import type { Here, Reply, Request } from "./rpc.ts";
import { workerURL } from "./trusted.ts";

/** A refusal as an exception. The message is the code alone: what a console keeps holds no name. */
export class Refused extends Error {
  readonly failure: Failure;
  constructor(code: string, detail = "", wait = 0) {
    super(code);
    this.failure = { code, detail, wait };
  }
}

/** Whatever was thrown, as a refusal that has a sentence. */
export function failureOf(thrown: unknown): Failure {
  if (thrown instanceof Refused) return thrown.failure;
  return { code: "page-broken", detail: thrown instanceof Error ? thrown.name : "", wait: 0 };
}

/** A firm lets nobody through who shows less than its rules ask for. */
const atDoor: ReadonlySet<string> = new Set(["second-factor", "password-old"]);

type Arguments<M extends Method> = Params<M> extends undefined ? [] : [params: Params<M>];

export class Engine {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  readonly #listeners = new Set<(event: Event) => void>();
  #last = 0;
  #knocking: Promise<boolean> | null = null;
  /** Asks the person for what a firm wants besides; true once it is shown. */
  door: ((code: string) => Promise<boolean>) | null = null;
  #dead: Failure | null = null;

  constructor() {
    this.#worker = new Worker(workerURL(), { type: "module" });
    this.#worker.onmessage = (message: MessageEvent<Reply | Event>) => this.#receive(message.data);
    this.#worker.onerror = () => this.#die();
    this.#worker.onmessageerror = () => this.#die();
  }

  /** Where a firm wants more than was shown, asks for it, and goes on. Nobody is disturbed for what he did not ask for. */
  async call<M extends Method>(method: M, ...[params]: Arguments<M>): Promise<Result<M>> {
    const before = this.#knocking;
    try {
      return await this.#send(method, params);
    } catch (thrown) {
      // What was asked while somebody stood at the door belongs to that.
      const { code } = failureOf(thrown);
      if (!atDoor.has(code) || unattended(params) || (before !== null && before === this.#knocking) || !(await this.#knock(code))) throw thrown;
      return this.#send(method, params);
    }
  }

  #knock(code: string): Promise<boolean> {
    if (!this.door) return Promise.resolve(false);
    return (this.#knocking ??= this.door(code).finally(() => (this.#knocking = null)));
  }

  #send<M extends Method>(method: M, params: Params<M> | undefined): Promise<Result<M>> {
    if (this.#dead) return Promise.reject(new Refused(this.#dead.code));
    const request: Request = { id: ++this.#last, method, params };
    return new Promise((resolve, reject) => {
      this.#waiting.set(request.id, (reply) => {
        if ("failure" in reply) reject(new Refused(reply.failure.code, reply.failure.detail, reply.failure.wait));
        else resolve(reply.result as Result<M>);
      });
      this.#worker.postMessage(request, secretsOf(params));
    });
  }

  /** Calls listener for every event until the function it answers is called. */
  listen(listener: (event: Event) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends the worker, and with it every key, whatever it is doing. Nothing can be asked after that. */
  stop() {
    this.#worker.terminate();
    this.#die();
  }

  /** Tells the worker whether a person is here: what it sends while nobody is, keeps no session alive. */
  here(until: number) {
    this.#worker.postMessage({ here: until } satisfies Here);
  }

  #receive(message: Reply | Event) {
    if ("event" in message) {
      for (const listener of [...this.#listeners]) listener(message);
      return;
    }
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    waiting?.(message);
  }

  // The worker held the keys; without it nothing can be said to be safe, so everything waiting is refused at once.
  #die() {
    this.#dead = { code: "engine-stopped", detail: "", wait: 0 };
    for (const [id, waiting] of this.#waiting) waiting({ id, failure: this.#dead });
    this.#waiting.clear();
  }
}

function unattended(params: unknown): boolean {
  return typeof params === "object" && params !== null && "unattended" in params && params.unattended === true;
}

// The PRF output is transferred, not copied: after the call this page holds no bytes of it.
function secretsOf(params: unknown): Transferable[] {
  if (typeof params !== "object" || params === null || !("passkey" in params)) return [];
  const { passkey } = params;
  if (typeof passkey !== "object" || passkey === null || !("prf" in passkey)) return [];
  return passkey.prf instanceof ArrayBuffer ? [passkey.prf] : [];
}
