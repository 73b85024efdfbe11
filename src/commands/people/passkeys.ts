import { isRefusal, type Refusal, refuse } from '../../core/refusal.ts'
import type { ByLogin, CredentialOptions, OnceOnly, Passkey, Passkeys, WebAuthn } from '../../people-ports.ts'
import type { Ids } from '../../ports.ts'
import type { LoginCall } from './logins.ts'

export type { Passkey } from '../../people-ports.ts'

export interface PasskeyPorts {
  readonly passkeys: Passkeys
  /** Undefined: there are no passkeys at this issuer. */
  readonly webauthn: WebAuthn | undefined
  readonly onceOnly: OnceOnly
  readonly ids: Ids
}

/** How long a challenge can be answered. Unit: seconds. */
export const CHALLENGE_SECONDS = 300
export const MAX_LABEL = 60

const NONE_HERE = refuse('sign_in_refused', 'there are no passkeys at an address that is no name')

/** The passkeys of a principal, newest first. */
export function listPasskeys(
  { passkeys }: Pick<PasskeyPorts, 'passkeys'>,
  principalId: string,
): Promise<readonly Passkey[]> {
  return passkeys.ofPrincipal(principalId)
}

/** What an authenticator is asked for to make a passkey. */
export async function offerPasskey(
  { passkeys, webauthn }: PasskeyPorts,
  principal: { readonly id: string; readonly name: string },
): Promise<CredentialOptions | Refusal> {
  return webauthn?.registrationOptions(principal, await passkeys.credentialIds(principal.id)) ?? NONE_HERE
}

/** Adds the passkey that an authenticator made for a challenge of this server's. A challenge is answered once. */
export async function addPasskey(
  ports: PasskeyPorts,
  call: LoginCall,
  { answer, challenge, label }: { readonly answer: string; readonly challenge: string; readonly label: string },
): Promise<{ readonly id: string } | Refusal> {
  const { passkeys, webauthn, ids } = ports
  if (webauthn === undefined) return NONE_HERE
  const name = oneLine(label)
  if (name === undefined) return refuse('member_invalid', `the name is 1 to ${MAX_LABEL} characters on one line`)
  if (!(await takeChallenge(ports, challenge))) return CHALLENGE_USED
  const credential = await webauthn.verifyRegistration(answer, challenge)
  if (isRefusal(credential)) return credential
  const id = `psk_${ids.recordId()}`
  const refused = await passkeys.add({ ...credential, id, principalId: call.principalId, label: name }, by(ports, call))
  return refused ?? { id }
}

export async function renamePasskey(
  ports: PasskeyPorts,
  call: LoginCall,
  { id, label }: { readonly id: string; readonly label: string },
): Promise<Refusal | undefined> {
  const name = oneLine(label)
  if (name === undefined) return refuse('member_invalid', `the name is 1 to ${MAX_LABEL} characters on one line`)
  return (await ports.passkeys.rename(call.principalId, id, name, by(ports, call))) ? undefined : NOT_FOUND
}

/** Removes a passkey, for ever. Where it signed somebody in, he stays signed in: logins are ended one by one. */
export async function removePasskey(ports: PasskeyPorts, call: LoginCall, id: string): Promise<Refusal | undefined> {
  return (await ports.passkeys.remove(call.principalId, id, by(ports, call))) ? undefined : NOT_FOUND
}

/** Takes a challenge, so that no answer to it counts twice. */
export function takeChallenge({ onceOnly }: Pick<PasskeyPorts, 'onceOnly'>, challenge: string): Promise<boolean> {
  return onceOnly(`passkey challenge\n${challenge}`, CHALLENGE_SECONDS)
}

export const CHALLENGE_USED = refuse('sign_in_refused', 'the question was answered before, or is too old; ask again')
const NOT_FOUND = refuse('not_found', 'there is no such passkey, or it was removed')

const by = ({ ids }: Pick<PasskeyPorts, 'ids'>, { loginId, requestId }: LoginCall): ByLogin => ({
  ...{ recordId: ids.recordId(), requestId, loginId },
})

/** A name for people: some characters, on one line. */
function oneLine(label: string): string | undefined {
  const name = label.trim()
  return /^[^\p{C}\p{Zl}\p{Zp}]+$/u.test(name) && Array.from(name).length <= MAX_LABEL ? name : undefined
}
