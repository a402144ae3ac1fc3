// Starts the worker and sends home what it says, also when it says nothing.
'use strict';
const send = (result) => fetch('/result', { method: 'POST', body: JSON.stringify(result) });
const worker = new Worker('worker.js');
worker.onmessage = (event) => send(event.data);
worker.onerror = (event) => send({ code: 1, lines: ['worker: ' + event.message] });
