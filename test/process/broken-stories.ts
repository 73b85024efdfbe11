import { pathToFileURL } from 'node:url'

/** As story.mjs writes it. */
export interface Step {
  readonly chapter?: string
  readonly name?: string
  readonly [member: string]: unknown
}

export const STORY = pathToFileURL('examples/demo/story.mjs').href
export const { steps }: { readonly steps: readonly Step[] } = await import(STORY)
export const names = steps.flatMap(({ name }) => name ?? [])

const step = (name: string): Step => {
  const found = steps.find((candidate) => candidate.name === name)
  if (found === undefined) throw new Error(`there is no step ${name}`)
  return found
}
const changed = (name: string, ingredients: object) =>
  steps.map((told) => (told.name === name ? { ...told, ...ingredients } : told))
const without = (...left: readonly string[]) => steps.filter(({ name }) => name === undefined || !left.includes(name))
const withArguments = (name: string, change: (argument: string) => string) =>
  changed(name, { args: (step(name).args as readonly string[]).map(change) })
/** One argument of a command, replaced. */
const swapped = (name: string, from: string, to: string) =>
  withArguments(name, (argument) => (argument === from ? to : argument))

const { mail: minutes } = step('send-the-mail')
const { mail: reminder } = step('spare-token')
const outside = { mail: step('outside-the-delegation').mail }
const spare = { at: 'mail', token: 'spare', key: 'own', mail: reminder }

const oneMore = [
  { ...step('first-token'), name: 'one-more-token', keepAs: 'more' },
  { ...step('send-the-mail'), name: 'one-more-mail', token: 'more' },
]

/** For each step: an ingredient that makes it come out otherwise. What must come stays as it is written. */
export const BROKEN: Readonly<Record<string, () => readonly Step[]>> = {
  'register-principal': () => swapped('register-principal', '{alice}', 'Not An Id'),
  'register-agent': () => swapped('register-agent', '{planner}', '{alice}'),
  'register-mail-api': () => swapped('register-mail-api', '{mail.resource}', 'not a URL'),
  'register-newsletter-api': () => swapped('register-newsletter-api', '{newsletter.resource}', '{mail.resource}'),
  delegate: () => swapped('delegate', '{alice}', 'nobody'),
  enrol: () => changed('enrol', { codeFile: '{folder}/mail.pub.jwk' }),
  'find-delegation': () => without('delegate'),
  'first-token': () => changed('first-token', outside),
  'send-the-mail': () => changed('send-the-mail', { mail: reminder }),
  'spare-token': () => changed('spare-token', outside),
  // The compromised agent does what is allowed: then nothing refuses, and the step says so.
  'another-recipient': () => changed('another-recipient', spare),
  'another-body': () => changed('another-body', spare),
  'another-resource': () => changed('another-resource', spare),
  'same-token-twice': () => changed('same-token-twice', spare),
  'another-key': () => changed('another-key', spare),
  'subject-token': () => changed('subject-token', spare),
  'outside-the-delegation': () => changed('outside-the-delegation', { mail: minutes }),
  'token-for-another-resource': () => changed('token-for-another-resource', { at: 'mail' }),
  suspend: () => swapped('suspend', '{planner}', 'nobody'),
  'after-suspension': () => without('suspend'),
  'spare-after-suspension': () => without('suspend', 'after-suspension'),
  // One mail more, allowed: it is in the mailbox.
  mailbox: () => steps.flatMap((told): readonly Step[] => (told.name === 'suspend' ? [...oneMore, told] : [told])),
  'accounts-of-the-apis': () => without('another-body'),
  record: () => without('outside-the-delegation'),
}
