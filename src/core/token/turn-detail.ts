/** What an agent is told of a turn that gives no token any more. */
export const TURN_DETAILS = {
  turn_key_mismatch: 'the turn was begun with another key',
  turn_over: 'the token of this turn was used, or may have been',
} as const

/** Whether a description is one of these. */
export const saysTurnRefused = (description: string): boolean =>
  Object.values<string>(TURN_DETAILS).includes(description)
