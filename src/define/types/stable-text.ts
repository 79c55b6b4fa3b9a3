/**
 * What stands for functions of Moraine's own where a definition is compared by the text of its
 * functions: their own text changes with each build of Moraine, and tables would be built again for
 * it.
 */
const texts = new WeakMap<object, string>()

/** Gives a function of Moraine's a text that stays. */
export function withText<F extends object>(fn: F, text: string): F {
  texts.set(fn, text)
  return fn
}

/** The text by which a function is compared. */
export function stableText(fn: object): string {
  return texts.get(fn) ?? String(fn)
}
