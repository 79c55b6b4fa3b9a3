/**
 * Bytes that may be held together, in memory or in files: of requests, from their first byte until
 * they are durable, and of answers until they are read.
 */
export class HeldBytes {
  private held = 0

  constructor(
    readonly most: number,
    private readonly onChange: (held: number) => void = () => {},
  ) {}

  /** Whether there is room for so many more. */
  hasRoom(bytes: number): boolean {
    return this.held + bytes <= this.most
  }

  /** Counts bytes that are held, if there is room for them. */
  take(bytes: number): boolean {
    if (!this.hasRoom(bytes)) return false
    this.held += bytes
    this.onChange(this.held)
    return true
  }

  give(bytes: number): void {
    this.held -= bytes
    this.onChange(this.held)
  }
}
