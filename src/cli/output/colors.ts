import picocolors from 'picocolors'
import { variable } from '../../settings.js'
import { ESC } from './terminal.js'

const plain = picocolors.createColors(
  !variable('NO_COLOR') &&
    (variable('FORCE_COLOR') !== undefined ||
      (process.stdout.isTTY === true && variable('TERM') !== 'dumb')),
)

/**
 * What the text holds of escape sequences is not ours, and stays as it is, to be spelled when it is
 * shown.
 */
const painted = (paint: (text: string) => string) => {
  const [before, after] = paint('\0').replaceAll('\x1b', ESC).split('\0')
  return (text: string) => `${before}${text}${after}`
}

const { bold, dim, red, green, yellow, cyan } = plain

/** Colours where a terminal shows them; pipes and files get plain text, in CI too. */
export default {
  bold: painted(bold),
  dim: painted(dim),
  red: painted(red),
  green: painted(green),
  yellow: painted(yellow),
  cyan: painted(cyan),
}
