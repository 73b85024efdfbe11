import { sha256Base64url } from '../../core/hash.ts'
import { isRefusal, type Refusal, refuse } from '../../core/refusal.ts'
import type { OpenSignInLink, SignInLinks } from '../../people-ports.ts'
import type { StrangerTally } from '../../ports.ts'
import { type BeginPorts, type Browser, beginLogin, type StartedLogin } from './begin-login.ts'

export interface LinkPorts extends BeginPorts {
  readonly signInLinks: SignInLinks
  readonly strangers: StrangerTally
}

/** Codes are 128 bits, base64url; anything else is none. */
const CODE = /^[A-Za-z0-9_-]{22}$/

/** What a link would do, for the page that asks whether it shall: whoever looks does not use it up, and programs look at links. */
export async function lookAtLink(
  { signInLinks, strangers }: Pick<LinkPorts, 'signInLinks' | 'strangers'>,
  code: string,
): Promise<OpenSignInLink | Refusal<'sign_in_refused'>> {
  const link = CODE.test(code) ? await signInLinks.find(sha256Base64url(code)) : undefined
  if (link !== undefined) return link
  strangers.count('sign_in_refused')
  return refuse('sign_in_refused', 'the link is unknown, used or expired')
}

/** Signs in by a one-time link. Of several who use it at once, one is signed in. */
export async function signInByLink(ports: LinkPorts, code: string, browser: Browser): Promise<StartedLogin | Refusal> {
  const started = CODE.test(code)
    ? await beginLogin(ports, browser, (login, deed) => ports.signInLinks.use(sha256Base64url(code), login, deed))
    : refuse('sign_in_refused', 'the link is unknown, used or expired')
  if (isRefusal(started)) ports.strangers.count(started.code)
  return started
}
