import type { JsonObject } from '../../core/json.ts'
import type { Attestation, AttestedDoor } from './attestation.ts'
import { clientAuthentication } from './client-assertion.ts'
import { WritFault } from './fault.ts'
import { isWritRefusal, type WritRefusal } from './refusal.ts'
import type { Door, WritRefusalKind } from './refusal-kind.ts'
import { request } from './session.ts'
import type { Kept } from './single-flight.ts'

/** One agent at one issuer. */
export interface IssuerDoor extends AttestedDoor {
  /** Absent: a client that is no agent, and is not attested. */
  readonly attestations?: Kept<Attestation | WritRefusal | undefined>
}

interface How {
  readonly signal?: AbortSignal | undefined
  readonly isRepeatable?: boolean
  /** What its refusals mean. Default: those of an exchange. */
  readonly door?: Door
}

/**
 * A request to the token endpoint, with a proof that is made anew for every attempt: authenticated by the agent's attestation,
 * or where there is none by an assertion.
 *
 * An attestation that is refused is let go of, and the request is made once more with another, and at last with an assertion.
 */
export async function tokenRequest(
  door: IssuerDoor,
  parameters: Readonly<Record<string, string>>,
  how: How = {},
): Promise<JsonObject | WritRefusal> {
  const { tokenEndpoint, dpopSigningAlgorithms } = await door.metadata()
  const { alg } = door.session.signer
  if (dpopSigningAlgorithms.length > 0 && !dpopSigningAlgorithms.includes(alg)) {
    throw new WritFault('unexpected_answer', `the server does not take ${alg}, the algorithm of this key`)
  }
  const attestation = await attestationFor(door, how.signal)
  if (isWritRefusal(attestation)) return attestation
  const outcome = await send(door, tokenEndpoint, parameters, attestation, how)
  if (attestation === undefined || !isWritRefusal(outcome) || !mayBeItsFault(outcome)) return outcome
  door.attestations?.drop(attestation)
  const another = await attestationFor(door, how.signal)
  if (isWritRefusal(another)) return another
  const again = await send(door, tokenEndpoint, parameters, another, how)
  // As where a process that knows of no attestations answers beside one that does, while a server is brought up to date.
  const hasOtherWay = another !== undefined && door.vouch === undefined
  return hasOtherWay && isWritRefusal(again) && mayBeItsFault(again)
    ? send(door, tokenEndpoint, parameters, undefined, how)
    : again
}

/** The attestation to show. Undefined: an assertion will do, which an instance has none of. */
async function attestationFor(
  { attestations, vouch }: IssuerDoor,
  signal: AbortSignal | undefined,
): Promise<Attestation | WritRefusal | undefined> {
  const attestation = attestations && (await unlessAborted(attestations.get(), signal))
  return isWritRefusal(attestation) && vouch === undefined && !FINAL.has(attestation.kind) ? undefined : attestation
}

function send(
  { session, issuer, id }: IssuerDoor,
  url: string,
  parameters: Readonly<Record<string, string>>,
  attestation: Attestation | undefined,
  how: How,
): Promise<JsonObject | WritRefusal> {
  return request(session, {
    door: 'token',
    method: 'POST',
    url,
    ...how,
    content: async () => {
      const authentication =
        attestation === undefined
          ? await clientAuthentication(session.signer, { id, issuer, now: session.clock.now() })
          : { client_id: id }
      return {
        contentType: 'application/x-www-form-urlencoded',
        body: new URLSearchParams({ ...parameters, ...authentication }).toString(),
        ...(attestation !== undefined && { headers: { 'oauth-client-attestation': attestation.jwt } }),
      }
    },
  })
}

/** What an assertion would be told as well. */
const FINAL: ReadonlySet<WritRefusalKind> = new Set<WritRefusalKind>([
  'not_authenticated',
  'proof_refused',
  'nonce_refused',
  'slow_down',
])

/**
 * Ended, of another signing key, or of before a restore: all by the server's clock, whatever this machine's says. A proof depends
 * on this clock, which another attestation does not mend.
 */
const mayBeItsFault = ({ kind, clockSkewSeconds }: WritRefusal) =>
  kind === 'not_authenticated' || (kind === 'proof_refused' && clockSkewSeconds === undefined)

/** What is awaited by several goes on when one of them gives up. */
async function unlessAborted<T>(awaited: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return awaited
  signal.throwIfAborted()
  let stop = () => {}
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([awaited, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
