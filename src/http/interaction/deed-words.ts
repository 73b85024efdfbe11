import { isJsonObject, type JsonValue, ownMember } from '../../core/json.ts'

/** What of an entry of the account is needed to say what was done. */
export interface RecordedDeed {
  readonly kind: string
  readonly decision: string
  readonly refusal: string | null
  readonly client: string | null
  readonly principal: string | null
  readonly because: JsonValue
}

/**
 * What was done, in words, where it is no action of an agent: by the principal, by an administrator, or by an agent with a delegation.
 * Plain text: what others wrote is in it.
 */
export function deedInWords(
  { kind, decision, client, principal, because }: RecordedDeed,
  agentName: string | null,
): string {
  const agent = agentName ?? 'an agent'
  const text = (name: string) => {
    const value = isJsonObject(because) ? ownMember(because, name) : undefined
    return typeof value === 'string' ? value : ''
  }
  const [operation, target] = [text('operation'), text('target')]
  const approver = text('approver')
  const isOwn = kind === 'principal' || (kind === 'approval' && client === null && approver === principal)
  const who = isOwn ? 'You' : client === null ? approver || 'Somebody' : `The administrator ${client}`
  if (operation === 'login.begin' && decision === 'refused') return 'Somebody tried to sign in as you, and could not'
  const told = (DEEDS[operation] ?? (() => undefined))({ who, agent, target })
  if (told !== undefined) return told
  if (kind === 'delegation')
    return decision === 'refused' ? `${agent} could not give a delegation on` : `${agent} gave a delegation on`
  if (kind === 'revocation') return `${client ?? agent} gave a delegation up`
  if (kind === 'receipt') return `The resource server ${client ?? ''} said what came of an action of ${agent}`
  if (kind === 'action_token') return `${agent} asked for an action`
  return operation === '' ? `${who}: ${kind}` : `${who}: ${operation} ${target}`
}

interface Told {
  readonly who: string
  readonly agent: string
  readonly target: string
}

const DEEDS: Readonly<Record<string, (told: Told) => string>> = {
  'delegation.grant': ({ who, agent }) => `${who} let ${agent} act for you`,
  'delegation.revoke': ({ who, agent }) => `${who} revoked a delegation to ${agent}`,
  'agent.stop': ({ who, agent }) => `${who} stopped ${agent} for you`,
  'delegation.refuse': ({ agent }) => `You did not let ${agent} act for you`,
  'login.begin': () => 'You signed in',
  'login.end': () => 'You signed out, or ended a sign-in',
  'passkey.add': () => 'You added a passkey',
  'passkey.rename': () => 'You renamed a passkey',
  'passkey.remove': () => 'You removed a passkey',
  'approval.approve': ({ who, agent }) => `${who} said yes to an action of ${agent}`,
  'approval.deny': ({ who, agent }) => `${who} said no to an action of ${agent}`,
  'approval.void': ({ agent }) => `An action of ${agent} was to be approved, but what it rests on had changed`,
  'upstream.bind': ({ target }) => `You signed in by ${target} for the first time`,
  'principal.register': ({ who }) => `${who} registered you`,
  'principal.amend': ({ who }) => `${who} changed what is registered of you`,
  'principal.suspend': ({ who }) => `${who} suspended you`,
  'principal.resume': ({ who }) => `${who} let you go on`,
}
