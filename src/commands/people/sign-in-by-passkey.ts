import { isRefusal, type Refusal, refuse } from '../../core/refusal.ts'
import type { CredentialOptions, RefusedSignIns } from '../../people-ports.ts'
import type { StrangerTally } from '../../ports.ts'
import { type BeginPorts, type Browser, beginLogin, type StartedLogin } from './begin-login.ts'
import { CHALLENGE_USED, type PasskeyPorts, takeChallenge } from './passkeys.ts'

export interface PasskeySignInPorts extends BeginPorts, PasskeyPorts {
  readonly strangers: StrangerTally
  readonly refusedSignIns: RefusedSignIns
}

const NOT_GOOD = refuse('sign_in_refused', 'the passkey is not one that is good here')

/** What an authenticator is asked for to sign somebody in, whoever it may be. */
export async function offerPasskeySignIn({ webauthn }: PasskeySignInPorts): Promise<CredentialOptions | Refusal> {
  return (await webauthn?.authenticationOptions()) ?? NOT_GOOD
}

/** Signs in by what an authenticator answered to a challenge of this server's. */
export async function signInByPasskey(
  ports: PasskeySignInPorts,
  { answer, challenge }: { readonly answer: string; readonly challenge: string },
  browser: Browser,
): Promise<StartedLogin | Refusal> {
  const { webauthn, passkeys, strangers } = ports
  const refused = (refusal: Refusal) => {
    strangers.count(refusal.code)
    return refusal
  }
  if (webauthn === undefined) return NOT_GOOD
  // Step 1: of a passkey that is known, and of somebody who may sign in. Whoever guesses causes one lookup.
  const credentialId = webauthn.credentialIdOf(answer)
  const passkey = credentialId === undefined ? undefined : await passkeys.find(credentialId)
  if (passkey === undefined) return refused(NOT_GOOD)

  // Step 2: signed by it, for this origin, after its user was verified. From here on it is known whose account is told of a no.
  const deed = { recordId: ports.ids.recordId(), requestId: browser.requestId }
  const noted = async (refusal: Refusal) => {
    const facts = { method: 'passkey' as const, by: passkey.id, detail: refusal.detail }
    await ports.refusedSignIns.record(passkey.principalId, facts, deed)
    return refusal
  }
  const verified = await webauthn.verifyAuthentication(answer, challenge, passkey)
  if (isRefusal(verified)) return noted(verified)

  // Step 3: an answer to a question that nobody has answered yet.
  if (!(await takeChallenge(ports, challenge))) return noted(CHALLENGE_USED)

  // Step 4: note its counter and begin the login.
  const started = await beginLogin(ports, browser, (login, by) => passkeys.use(passkey, verified.counter, login, by))
  return isRefusal(started) ? noted(started) : started
}
