import { createClock } from './clock.ts'
import { WritFault } from './fault.ts'
import { checkIssuer } from './issuer.ts'
import { createNonces } from './nonces.ts'
import { isWritRefusal, type WritRefusal } from './refusal.ts'
import { request } from './session.ts'
import { checkSigner, type Signer } from './signer.ts'
import { createTransport } from './transport.ts'

/** What an administrator gave this agent, and the key to bind. */
export interface EnrolOptions {
  readonly issuer: string
  /** The one-time code. */
  readonly code: string
  /** The new key; only its public part is sent. */
  readonly key: Signer
  /** A name for the key, for administrators. */
  readonly label?: string
  readonly fetch?: typeof globalThis.fetch
  readonly now?: () => Date
  /** Default: 10. */
  readonly timeoutSeconds?: number
  readonly signal?: AbortSignal
}

/** Who the key belongs to now: what `createAgent` wants to know. */
export interface Enrolled {
  readonly issuer: string
  /** The agent's id. */
  readonly agent: string
  /** The key's thumbprint. */
  readonly kid: string
}

/** Unit: characters. */
const MAX_CODE = 256

/**
 * Binds a new key to an agent with a one-time code, proving that this process holds it.
 *
 * The code is used up by success. When the answer is lost (a fault), try again with the same key: `code_unusable` then
 * means that an administrator has to look whether the key was bound.
 *
 * @throws WritFault when something broke, TypeError for options that cannot be right.
 */
export async function enrol(options: EnrolOptions): Promise<Enrolled | WritRefusal> {
  const { issuer, code, key, label, signal, now = () => new Date() } = options
  checkIssuer(issuer)
  // Its value is in no message.
  if (typeof code !== 'string' || code === '' || code.length > MAX_CODE) throw new TypeError('code must be a string')
  const signer = checkSigner(key)
  const session = {
    signer,
    transport: createTransport(options),
    clock: createClock(now, false),
    nonces: createNonces(),
    retries: { attempts: 0, maxWaitSeconds: 0 },
  }
  const content = {
    contentType: 'application/json',
    body: JSON.stringify({ code, ...(label !== undefined && { label }) }),
  }
  const body = await request(session, {
    door: 'enrolment',
    method: 'POST',
    url: `${issuer}/enrol`,
    content: async () => content,
    signal,
  })
  if (isWritRefusal(body)) return body
  const kid = await signer.kid()
  if (typeof body.agent !== 'string' || body.issuer !== issuer || body.kid !== kid) {
    throw new WritFault('unexpected_answer', 'the answer to the enrolment is not about this key and this issuer')
  }
  return { issuer, agent: body.agent, kid }
}
