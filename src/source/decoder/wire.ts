import { MoraineError, messageOf } from '../../errors.js'
import type { SourceFile } from '../files/source-file.js'

/*
 * What a decoder's process and the one that asks it say to each other: plain data.
 */

/** A file as a decoder's process knows it. */
export interface FileData extends Omit<SourceFile, 'remote' | 'fault'> {
  /** It is elsewhere: where it was brought to, or that its bytes are asked for. */
  remote?: { here: string | undefined }
}

/** An error, with what decides what becomes of the file. */
export interface ErrorData {
  message: string
  moraine?: Pick<MoraineError, 'kind' | 'hint' | 'retryable'>
  /** Names and codes by which those are known that clients and the system throw. */
  name?: string
  code?: unknown
  cause?: ErrorData
}

/** A job that is to be done; `mib` tells how large its file is. */
export type Request = { job: string; input: { file: FileData }; mib: number } | Answer
/** Bytes that were asked for. */
export type Answer = { answer: number; bytes?: Uint8Array; error?: ErrorData }

export type Reply =
  | { ready: true }
  | { done: unknown; rss: number }
  /** `isBroken`: the process can't go on. */
  | { failed: ErrorData; isBroken: boolean }
  | { ask: number; from: number; length: number }

export function fileData({ remote, fault: _, ...file }: SourceFile): FileData {
  return remote ? { ...file, remote: { here: remote.here } } : file
}

/** A file in a decoder's process. */
export function fileOf(
  { remote, ...file }: FileData,
  range: (from: number, length: number) => Promise<Buffer>,
): SourceFile {
  if (!remote) return file
  const none = () => Promise.reject(new Error('Decoders can only request bytes'))
  const { here } = remote
  return {
    ...file,
    remote: {
      ...(here === undefined ? {} : { here }),
      range,
      download: none,
      identify: none,
      isSame: none,
    },
  }
}

/** Levels of causes that are told. */
const DEEPEST = 4

export function errorData(error: unknown, depth = 0): ErrorData {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: unknown }
  const known = error instanceof MoraineError ? error : undefined
  return {
    message: messageOf(error),
    ...(known
      ? { moraine: { kind: known.kind, hint: known.hint, retryable: known.retryable } }
      : {}),
    ...(known === undefined && error instanceof Error ? { name: error.name } : {}),
    ...(typeof code === 'string' ? { code } : {}),
    ...(cause !== undefined && depth < DEEPEST ? { cause: errorData(cause, depth + 1) } : {}),
  }
}

export function errorOf({ message, moraine, name, code, cause }: ErrorData): Error {
  const about = cause ? { cause: errorOf(cause) } : {}
  const more = { ...(name === undefined ? {} : { name }), ...(code === undefined ? {} : { code }) }
  if (!moraine) return Object.assign(new Error(message, about), more)
  const { kind, hint, retryable } = moraine
  return new MoraineError(kind, message, { retryable, ...(hint ? { hint } : {}), ...about })
}
