// Files out of a drop or a file input, each with its path inside what was dropped.

export interface DroppedFile {
  path: string; // "folder/name", as dropped
  file: File;
}

// What systems leave in folders on their own; nobody means to share these.
const litter = new Set([".DS_Store", "Thumbs.db", "desktop.ini"]);

export function fromInput(files: FileList | null): DroppedFile[] {
  return [...(files ?? [])].map((file) => ({ path: file.webkitRelativePath || file.name, file })).filter(wanted);
}

/** Must be called inside the drop event: afterwards its items are gone. */
export async function fromDrop(transfer: DataTransfer): Promise<DroppedFile[]> {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry());
  if (entries.every((entry) => entry === null)) return fromInput(transfer.files);
  const found: DroppedFile[] = [];
  for (const entry of entries) if (entry) await walk(entry, "", found);
  return found.filter(wanted);
}

async function walk(entry: FileSystemEntry, folder: string, found: DroppedFile[]): Promise<void> {
  if (isFile(entry)) {
    const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
    found.push({ path: folder + entry.name, file });
  } else if (isDirectory(entry)) {
    for (const child of await children(entry)) await walk(child, folder + entry.name + "/", found);
  }
}

// readEntries answers at most a hundred at a time, and nothing when it is done.
async function children(directory: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = directory.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return all;
    all.push(...some);
  }
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}

function isDirectory(entry: FileSystemEntry): entry is FileSystemDirectoryEntry {
  return entry.isDirectory;
}

function wanted(dropped: DroppedFile): boolean {
  return !litter.has(dropped.file.name);
}
