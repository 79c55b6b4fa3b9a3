import { dirname, resolve } from 'node:path'

/** What happened, when something was done that others rely on. */
export interface Moment {
  what: 'link' | 'rename' | 'unlink' | 'answer' | 'end'
  /** The file that it was done to; of an answer its first bytes. */
  path: string
  /** What it is called now, of a file that was renamed. */
  to?: string
}

interface Call {
  name: string
  args: string
  result: string
}

const WRITES = /^(write|writev|pwrite64|pwritev2?|ftruncate|fallocate|sendfile|copy_file_range)$/

/** The system calls that decide about it. */
export const CALLS =
  'openat,write,writev,pwrite64,pwritev,pwritev2,ftruncate,fallocate,sendfile,copy_file_range,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat,rmdir,mkdir,mkdirat'

/**
 * A disk as it would be found after a power cut, as far as POSIX promises anything: what was
 * written to a file is there once the file was synced after that, and a name is there once its
 * folder was synced after that. Made from a trace of system calls.
 */
export class Disk {
  /** Files with bytes that no sync has followed. */
  private readonly dirty = new Set<string>()
  /** Names that no sync of their folder has followed. */
  private readonly loose = new Set<string>()
  private readonly unfinished = new Map<string, string>()
  readonly seen = new Set<string>()

  /** @param told of each moment that others rely on, before it is over. */
  constructor(
    private readonly root: string,
    private readonly told: (moment: Moment, disk: Disk) => void,
  ) {}

  /** Whether a file would be there, whole. */
  isDurable(path: string): boolean {
    return this.whyNot(path) === undefined
  }

  /** Why a file would not be there, or not whole. */
  whyNot(path: string): string | undefined {
    if (this.dirty.has(path)) return `${path} was not synced`
    for (let name = path; name.length > this.root.length; name = dirname(name))
      if (this.loose.has(name)) return `the folder of ${name} was not synced`
    return undefined
  }

  /** A line of `strace -f -y`. */
  line(text: string): void {
    const [, thread = '', rest = ''] = /^(\d+)\s+(.*)$/.exec(text) ?? []
    const cut = / <unfinished \.\.\.>$/.exec(rest)
    if (cut) {
      const begun = rest.slice(0, cut.index)
      this.unfinished.set(thread, begun)
      const [, name = '', args = ''] = /^(\w+)\((.*)$/.exec(begun) ?? []
      // What is written may be there from now on; what is synced is not before the call is over.
      this.begin({ name, args, result: '0' })
      return
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)
    const whole = resumed ? `${this.unfinished.get(thread) ?? ''}${resumed[1]}` : rest
    const [, name = '', args = '', result = ''] = /^(\w+)\((.*)\)\s+=\s+(.*)$/.exec(whole) ?? []
    if (name === '' || result.startsWith('-1')) return
    if (!resumed) this.begin({ name, args, result })
    this.finish({ name, args, result })
  }

  end(): void {
    this.told({ what: 'end', path: '' }, this)
  }

  private begin({ name, args, result }: Call): void {
    const [first = ''] = args.split(', ')
    const file = pathOf(first)
    if (WRITES.test(name) && file && this.has(file)) this.dirty.add(file)
    if (/^write/.test(name) && /^\d+<(socket|TCP)/.test(first) && args.includes('"HTTP/1.1 2'))
      this.told({ what: 'answer', path: args }, this)
    const [from, to] = twoNames(name, args)
    if (/^link/.test(name) && to && this.has(to)) this.told({ what: 'link', path: to }, this)
    if (/^rename/.test(name) && from && to && this.has(from))
      this.told({ what: 'rename', path: from, to }, this)
    if (/^unlink/.test(name) && from && this.has(from))
      this.told({ what: 'unlink', path: from }, this)
    if (name === 'openat' && args.includes('O_CREAT')) this.made(pathOf(result))
  }

  private finish({ name, args, result }: Call): void {
    const file = pathOf(args.split(', ')[0] ?? '')
    if (name === 'openat' && args.includes('O_CREAT')) this.made(pathOf(result))
    if (/^mkdir/.test(name)) this.made(namesIn(args)[0])
    if (/^f(data)?sync$/.test(name) && file) this.synced(file)
    const [from = '', to = ''] = twoNames(name, args)
    if (/^link/.test(name) && this.has(to)) {
      if (this.dirty.has(from)) this.dirty.add(to)
      this.made(to)
    }
    if (/^rename/.test(name)) this.moved(from, to)
    if (/^(unlink|rmdir)/.test(name)) this.gone(from)
  }

  private has(path: string): boolean {
    return path.startsWith(`${this.root}/`)
  }

  private made(path: string | undefined): void {
    if (!path || !this.has(path) || this.seen.has(path)) return
    this.seen.add(path)
    this.loose.add(path)
  }

  private synced(path: string): void {
    this.dirty.delete(path)
    for (const name of this.loose) if (dirname(name) === path) this.loose.delete(name)
  }

  private moved(from: string, to: string): void {
    for (const set of [this.dirty, this.loose, this.seen])
      for (const path of [...set])
        if (path === from || path.startsWith(`${from}/`)) {
          set.delete(path)
          if (this.has(to)) set.add(`${to}${path.slice(from.length)}`)
        }
    if (!this.has(to)) return
    this.seen.add(to)
    this.loose.add(to)
  }

  private gone(path: string): void {
    for (const set of [this.dirty, this.loose, this.seen]) set.delete(path)
  }
}

/** The file of a descriptor: `17</lake/a>`. */
function pathOf(descriptor: string): string | undefined {
  return /^\d+<(\/[^>]*)>/.exec(descriptor)?.[1]?.replace(/ \(deleted\)$/, '')
}

/**
 * The names in a call's arguments, those that are relative after the folder that they are relative
 * to.
 */
function namesIn(args: string): string[] {
  const found: string[] = []
  let at = '/'
  for (const [, folder, name] of args.matchAll(/(?:AT_FDCWD|\d+)<([^>]*)>|"((?:[^"\\]|\\.)*)"/g)) {
    if (folder !== undefined) at = folder
    else found.push(resolve(at, (name as string).replace(/\\"/g, '"')))
  }
  return found
}

function twoNames(name: string, args: string): string[] {
  return /^(link|rename|unlink|rmdir)/.test(name) ? namesIn(args) : []
}
