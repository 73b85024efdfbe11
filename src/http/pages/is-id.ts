/** What ids are made of: whatever else a path holds is nowhere, and no question for the database. */
export const isId = (text: string | undefined): text is string =>
  text !== undefined && /^[A-Za-z0-9._-]{1,255}$/.test(text)

/** The id that a path holds; what is none becomes one that nothing has. */
export const idIn = (text: string | undefined): string => (isId(text) ? text : '')
