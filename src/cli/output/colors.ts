import picocolors from 'picocolors'

const { NO_COLOR, FORCE_COLOR, TERM } = process.env

/** Colours where a terminal shows them; pipes and files get plain text, in CI too. */
export default picocolors.createColors(
  !NO_COLOR && (Boolean(FORCE_COLOR) || (process.stdout.isTTY === true && TERM !== 'dumb')),
)
