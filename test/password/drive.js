// Runs the module for passwords under Node and speaks with the test line by line: what a worker does with fetch.
'use strict';
const fs = require('fs');
const [, , loader, module_] = process.argv;
require(loader);
const lines = require('readline').createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (value) => fs.writeSync(1, JSON.stringify(value) + '\n');
const hex = (bytes) => Buffer.from(bytes).toString('hex');
const bytes = (text) => new Uint8Array(Buffer.from(text, 'hex'));
(async () => {
  const ready = new Promise((resolve) => {
    globalThis.undersealPasswordHost = { ready: (register, signIn, strength, end) => resolve({ register, signIn, strength, end }) };
  });
  const go = new Go();
  const { instance } = await WebAssembly.instantiate(fs.readFileSync(module_), go.importObject);
  const over = go.run(instance);
  const methods = await ready;
  for (;;) {
    const { value, done } = await lines.next();
    if (done) process.exit(0);
    const call = JSON.parse(value);
    if (call.method === 'end') {
      methods.end();
      await over;
      say({ end: 'over' });
      continue;
    }
    try {
      if (call.method === 'strength') {
        say(await methods.strength(...(call.raw ?? [bytes(call.password), call.words])));
        continue;
      }
      const args = call.raw ?? [call.name, call.origin, bytes(call.password)];
      const begun = await methods[call.method](...args);
      say({ message: hex(begun.message) });
      const answer = bytes(JSON.parse((await lines.next()).value).answer);
      const outcome = {};
      try {
        for (const [name, value] of Object.entries(await begun.finish(answer))) outcome[name] = hex(value);
      } catch (error) {
        outcome.code = error.code;
      }
      await begun.finish(answer).then(() => { outcome.again = 'finished'; }, (error) => { outcome.again = error.code; });
      say(outcome);
    } catch (error) {
      say({ code: error.code ?? String(error) });
    }
  }
})();
