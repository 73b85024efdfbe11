import { sha256Base64url } from '../../core/hash.ts'
import { isRefusal, type Refusal } from '../../core/refusal.ts'
import type { BegunLogin, Deed, NewLogin } from '../../people-ports.ts'
import type { Ids } from '../../ports.ts'

export interface BeginPorts {
  readonly ids: Ids
  /** Unit: seconds. */
  readonly loginSeconds: number
}

/** The browser that signs in, as it presents itself. */
export interface Browser {
  /** What it holds from an earlier sign-in, good or not. */
  readonly heldSecret: string | undefined
  readonly userAgent: string | undefined
  readonly requestId: string
}

/** A login that began, with the secret that its browser is to hold: told here and kept nowhere. */
export interface StartedLogin extends BegunLogin {
  readonly secret: string
}

const MAX_USER_AGENT = 400

/**
 * Begins a login by whatever shows who it is.
 *
 * The secret is new each time and what the browser held before ends with it, so that nobody can have a victim sign in into a session
 * that he knows (session fixation).
 */
export async function beginLogin(
  { ids, loginSeconds }: BeginPorts,
  { heldSecret, userAgent, requestId }: Browser,
  begin: (login: NewLogin, deed: Deed) => Promise<BegunLogin | Refusal>,
): Promise<StartedLogin | Refusal> {
  // Twice 128 bits of chance.
  const secret = `${ids.random()}${ids.random()}`
  const login: NewLogin = {
    id: `log_${ids.recordId()}`,
    secretHash: sha256Base64url(secret),
    userAgent: userAgent === undefined ? null : shown(userAgent),
    lifetimeSeconds: loginSeconds,
    replaces: heldSecret === undefined ? undefined : sha256Base64url(heldSecret),
  }
  const begun = await begin(login, { recordId: ids.recordId(), requestId })
  return isRefusal(begun) ? begun : { ...begun, secret }
}

/** A header is bytes of a stranger: what is kept of it can be stored and shown. */
const shown = (userAgent: string): string => userAgent.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, MAX_USER_AGENT)
