import { sha256Base64url } from '../../core/hash.ts'
import { type Refusal, refuse } from '../../core/refusal.ts'
import type { Login, Logins } from '../../people-ports.ts'
import type { Ids } from '../../ports.ts'

export type { Login } from '../../people-ports.ts'

export interface LoginPorts {
  readonly logins: Logins
  readonly ids: Ids
  /** A login that was not seen for so long is over. Unit: seconds. */
  readonly loginIdleSeconds: number
}

/** The login that a browser's secret stands for, if it and its principal are good now. */
export function currentLogin(
  { logins, loginIdleSeconds }: Pick<LoginPorts, 'logins' | 'loginIdleSeconds'>,
  secret: string,
): Promise<Login | undefined> {
  return logins.current(sha256Base64url(secret), loginIdleSeconds)
}

/** Where a principal is signed in, newest first. */
export function listLogins(
  { logins, loginIdleSeconds }: Pick<LoginPorts, 'logins' | 'loginIdleSeconds'>,
  principalId: string,
): Promise<readonly Login[]> {
  return logins.ofPrincipal(principalId, loginIdleSeconds)
}

/** Whoever asks, and from which login. */
export interface LoginCall {
  readonly principalId: string
  readonly loginId: string
  readonly requestId: string
}

/** Ends one login of the principal who asks, this one or another: refused at its next request. */
export async function endLogin(ports: LoginPorts, call: LoginCall, id: string): Promise<number | Refusal<'not_found'>> {
  const ended = await end(ports, call, { id })
  return ended > 0 ? ended : refuse('not_found', 'there is no such sign-in, or it has ended')
}

/** Ends all logins of the principal who asks but the one that asks. */
export function endOtherLogins(ports: LoginPorts, call: LoginCall): Promise<number> {
  return end(ports, call, { allBut: call.loginId })
}

function end(
  { logins, ids }: LoginPorts,
  { principalId, loginId, requestId }: LoginCall,
  which: Parameters<Logins['end']>[1],
): Promise<number> {
  return logins.end(principalId, which, { recordId: ids.recordId(), requestId, loginId })
}
