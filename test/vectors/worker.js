// Runs the cases as the app runs its own module: in a dedicated worker.
'use strict';
importScripts('wasm_exec.js');
(async () => {
  const lines = [];
  let code = 1;
  try {
    // wasm_exec.js hands on what the program prints, line by line.
    console.log = (line) => lines.push(String(line));
    globalThis.vectorPack = new Uint8Array(await (await fetch('pack.json')).arrayBuffer());
    const go = new Go();
    go.argv = ['cases'];
    go.exit = (exitCode) => { code = exitCode; };
    code = 0;
    const { instance } = await WebAssembly.instantiateStreaming(fetch('cases.wasm'), go.importObject);
    await go.run(instance);
  } catch (error) {
    code = 1;
    lines.push(String(error));
  }
  postMessage({ code, lines });
})();
