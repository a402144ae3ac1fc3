// The one Trusted Types policy. It makes exactly one kind of value, from exactly one string: the worker's URL.

interface Policy {
  createScriptURL(url: string): unknown;
}

interface Factory {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): Policy;
}

function onlyTheWorker(url: string): string {
  if (url !== WORKER_URL) throw new TypeError("not a script of this build");
  return url;
}

function factory(): Factory | undefined {
  return (globalThis as { trustedTypes?: Factory }).trustedTypes;
}

const policy = factory()?.createPolicy("underseal", { createScriptURL: onlyTheWorker });

/** What new Worker() wants: a TrustedScriptURL where the browser enforces them, a string elsewhere. */
export function workerURL(): string {
  return (policy ? policy.createScriptURL(WORKER_URL) : onlyTheWorker(WORKER_URL)) as string;
}
