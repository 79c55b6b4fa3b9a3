/** A file that a source offers now. */
export interface SourceFile {
  /** Where its text lies, when the file itself is compressed. */
  unpacked?: string
  /** Absolute path. */
  path: string
  /** The path as lineage shows it: relative to the project when it lies there. */
  name: string
  /** Bytes. */
  size: number
  /** Milliseconds since 1970. */
  modified: number
  /** The file that it is packed into with others, and its name there. */
  archive?: { size: number; modified: number; entry: string }
  /** Why it can't be taken apart. */
  fault?: unknown
  /** Bytes that it has there. */
  packed?: number
  /** How it is brought here, where it is elsewhere; its path is then its key there. */
  remote?: {
    download(to: string, signal: AbortSignal): Promise<void>
    /** Where it was brought to, once that is done. */
    here?: string
    /** Some of its bytes. */
    range(from: number, length: number): Promise<Buffer>
    /** The version that was brought here, where the bucket keeps versions. */
    version?: string | undefined
    /** Learns the version of what was listed, without bringing it here. */
    identify(): Promise<void>
    /**
     * Whether what was brought here is what was listed; of an object that is read by ranges,
     * whether it is there as it was.
     */
    isSame(): Promise<boolean>
  }
}
