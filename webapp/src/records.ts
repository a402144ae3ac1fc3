// Records on this device: sealed by Go before they get here. One object store, names as keys.

const DATABASE = "underseal";
const STORE = "records";

let opened: Promise<IDBDatabase> | null = null;

function database(): Promise<IDBDatabase> {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("database"));
  });
  return opened;
}

async function transact<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const db = await database();
  return new Promise((resolve, reject) => {
    // strict: what a journal says was kept must be kept when a chunk leaves.
    const transaction = db.transaction(STORE, mode, { durability: mode === "readwrite" ? "strict" : "default" });
    const request = work(transaction.objectStore(STORE));
    transaction.oncomplete = () => resolve(request.result);
    transaction.onerror = () => reject(transaction.error ?? new Error("database"));
    transaction.onabort = () => reject(transaction.error ?? new Error("database"));
  });
}

export async function getRecord(name: string): Promise<Uint8Array | null> {
  const value: unknown = await transact("readonly", (store) => store.get(name) as IDBRequest<unknown>);
  return value instanceof Uint8Array ? value : null;
}

export async function putRecord(name: string, record: Uint8Array): Promise<void> {
  await transact("readwrite", (store) => store.put(record, name));
}

export async function deleteRecord(name: string): Promise<void> {
  await transact("readwrite", (store) => store.delete(name));
}

export async function listRecords(prefix: string): Promise<string[]> {
  const range = IDBKeyRange.bound(prefix, `${prefix}\uffff`);
  const keys = await transact("readonly", (store) => store.getAllKeys(range));
  return keys.filter((key) => typeof key === "string").sort();
}
