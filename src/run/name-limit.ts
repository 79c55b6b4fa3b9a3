/** Refuses rows that bring more names than can be columns; those that came before them are kept. */
export class NameLimit {
  private readonly names = new Set<string>()

  constructor(private readonly most: number) {}

  /** Why a row of JSON can't be taken; `undefined` where it can. */
  refusal(row: string): string | undefined {
    const fresh = Object.keys(JSON.parse(row)).filter((name) => !this.names.has(name))
    if (this.names.size + fresh.length > this.most)
      return `with its names there are more than ${this.most} different ones`
    for (const name of fresh) this.names.add(name)
    return undefined
  }
}
