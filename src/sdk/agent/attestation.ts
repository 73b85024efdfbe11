import { clientAuthentication } from './client-assertion.ts'
import { WritFault } from './fault.ts'
import type { IssuerMetadata } from './issuer.ts'
import { isWritRefusal, type WritRefusal } from './refusal.ts'
import { request, type Session } from './session.ts'
import { type Kept, kept } from './single-flight.ts'

/** What an agent shows instead of an assertion, with a proof by its key beside it. Never leaves this SDK. */
export interface Attestation {
  readonly jwt: string
  /** Until when it is shown. Unit: milliseconds since the epoch, by the machine's own clock. */
  readonly goodUntil: number
}

/**
 * Gets a client assertion by a registered key of the agent that names `jkt`, the thumbprint of this instance's key: from
 * `Agent.vouchFor`, wherever that key is kept. Asked for about every ten minutes.
 */
export type Vouch = (jkt: string) => Promise<string>

export interface AttestedDoor {
  readonly session: Session
  readonly issuer: string
  readonly id: string
  readonly metadata: () => Promise<IssuerMetadata>
  /** Of an instance. Absent: the key is a registered one. */
  readonly vouch?: Vouch | undefined
}

/** How long before its end an attestation is renewed, but never earlier than half of its life. Unit: seconds. */
const MARGIN_SECONDS = 30

const KiB = 1024
/** What the header takes: three segments of base64url. */
const ATTESTATION = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/

/**
 * Keeps one attestation of the agent's key until shortly before it ends, however many requests wait for it
 * (draft-ietf-oauth-attestation-based-client-auth-12). A refusal is not kept.
 *
 * @returns undefined when the server offers none.
 */
export function attestations(door: AttestedDoor): Kept<Attestation | WritRefusal | undefined> {
  const { session, issuer, id, metadata, vouch } = door
  const { own } = session.clock
  const fetchOne = async () => {
    const { attestationEndpoint: url } = await metadata()
    if (url === undefined) {
      if (vouch === undefined) return undefined
      throw new WritFault('unexpected_answer', 'the server attests no instances')
    }
    const askedAt = own().getTime()
    const body = await request(session, {
      door: 'attestation',
      method: 'POST',
      url,
      // Asked twice, it gives two, and either is good.
      isRepeatable: true,
      content: async () => {
        const { signer, clock } = session
        const assertion = vouch && (await vouch(await signer.kid()))
        const authentication = await clientAuthentication(signer, { id, issuer, now: clock.now(), assertion })
        return { contentType: FORM, body: new URLSearchParams(authentication).toString() }
      },
    })
    return isWritRefusal(body) ? body : readAttestation(body, askedAt)
  }
  const isGood = (value: Attestation | WritRefusal | undefined) =>
    value === undefined || (!isWritRefusal(value) && own().getTime() < value.goodUntil)
  return kept(fetchOne, isGood)
}

const FORM = 'application/x-www-form-urlencoded'

function readAttestation(body: Readonly<Record<string, unknown>>, askedAt: number): Attestation {
  const { client_attestation: jwt, expires_in: expiresIn } = body
  if (typeof jwt !== 'string' || jwt.length > 4 * KiB || !ATTESTATION.test(jwt)) {
    throw new WritFault('unexpected_answer', 'the answer of the server holds no attestation')
  }
  if (typeof expiresIn !== 'number' || !(expiresIn > 0)) {
    throw new WritFault('unexpected_answer', 'the answer of the server does not say how long the attestation lives')
  }
  const keptSeconds = Math.max(expiresIn - MARGIN_SECONDS, expiresIn / 2)
  return { jwt, goodUntil: askedAt + keptSeconds * 1_000 }
}
