// What webapp/build puts in while bundling. A content hash stands in every URL.

/** The worker's URL. Known to the page only. */
declare const WORKER_URL: string;

/** The module's URL and its SHA-256 in hex. Known to the worker only: it refuses a module of another build. */
declare const WASM_URL: string;
declare const WASM_SHA256: string;

/** The same of the module for passwords. */
declare const PASSWORD_URL: string;
declare const PASSWORD_SHA256: string;

/** wasm_exec.js of the Go toolchain that built the module; defines globalThis.Go. */
declare module "wasm_exec" {}
