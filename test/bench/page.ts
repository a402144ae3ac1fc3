// Hands the driver one function: measure(name, bytes, workers) starts fresh workers, shares the bytes among them and
// leaves the seconds of sealing and of opening in window.result.

import type { Answer, Order } from "./worker.ts";

class Runner {
  readonly #worker = new Worker("worker.js", { type: "module" });

  obey(order: Order): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#worker.onerror = (event) => reject(new Error(event.message));
      this.#worker.onmessage = ({ data }: MessageEvent<Answer>) => ("failure" in data ? reject(new Error(data.failure)) : resolve(data.seconds));
      this.#worker.postMessage(order);
    });
  }

  end(): void {
    this.#worker.terminate();
  }
}

interface Result {
  seal: number;
  open: number;
  failure: string;
}

async function run(name: string, bytes: number, workers: number): Promise<Result> {
  const runners = Array.from({ length: workers }, () => new Runner());
  // One worker tells its own time; of several, the page waits for the last.
  const all = async (order: Order) => {
    const start = performance.now();
    const [seconds] = await Promise.all(runners.map((runner) => runner.obey(order)));
    return workers === 1 && seconds !== undefined ? seconds : (performance.now() - start) / 1000;
  };
  try {
    await all({ do: "prepare", name, bytes: bytes / workers });
    const seal = await all({ do: "seal" });
    await all({ do: "keep" });
    return { seal, open: await all({ do: "open" }), failure: "" };
  } catch (thrown) {
    return { seal: 0, open: 0, failure: String(thrown) };
  } finally {
    for (const runner of runners) runner.end();
  }
}

const scope = window as unknown as { measure: (name: string, bytes: number, workers: number) => void; result: Result | null };
scope.measure = (name, bytes, workers) => {
  scope.result = null;
  void run(name, bytes, workers).then((result) => (scope.result = result));
};
