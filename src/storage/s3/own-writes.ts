/** Bytes of one object, and of all together, that are remembered. */
const LARGEST = 2 ** 18
const MOST = 8 * 2 ** 20

/**
 * Small objects that this process has written and is about to read: metadata of tables, which the
 * next step of a run begins with. Such an object never changes, so that a request for it is saved.
 */
export class OwnWrites {
  private readonly found = new Map<string, Uint8Array>()
  private bytes = 0

  note(path: string, bytes: Uint8Array): void {
    if (bytes.length > LARGEST || !path.includes('/metadata/')) return
    this.forget(path)
    this.found.set(path, bytes)
    this.bytes += bytes.length
    for (const oldest of this.found.keys()) {
      if (this.bytes <= MOST) return
      this.forget(oldest)
    }
  }

  /** A copy: whoever reads an object may change what it is given. */
  get(path: string): Uint8Array | undefined {
    const bytes = this.found.get(path)
    return bytes && Uint8Array.from(bytes)
  }

  forget(path: string): void {
    this.bytes -= this.found.get(path)?.length ?? 0
    this.found.delete(path)
  }
}
