import { isIP } from 'node:net'
import {
  generateAuthenticationOptions,
  generateRegistrationOptions,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server'
import { decodeAttestationObject, decodeClientDataJSON, isoBase64URL } from '@simplewebauthn/server/helpers'
import { z } from 'zod'
import { sha256Base64url } from '../../core/hash.ts'
import { type Refusal, refuse } from '../../core/refusal.ts'
import type { WebAuthn } from '../../people-ports.ts'

const RP_NAME = 'Writ'
/** EdDSA, ES256, RS256: the last one because authenticators of Windows know nothing else (COSE algorithm identifiers). */
const ALGORITHMS = [-8, -7, -257]
const TIMEOUT_MILLISECONDS = 120_000
const MAX_ANSWER = 16_384

const Base64url = (max: number) =>
  z
    .string()
    .regex(/^[A-Za-z0-9_-]*$/)
    .min(1)
    .max(max)
const TRANSPORTS = ['ble', 'cable', 'hybrid', 'internal', 'nfc', 'smart-card', 'usb'] as const

/** What a browser sends of a credential; members that are not named here are for others. */
const answerOf = <Shape extends z.ZodRawShape>(response: Shape) =>
  z.object({
    id: Base64url(1_400),
    rawId: Base64url(1_400),
    type: z.literal('public-key'),
    response: z.object({ clientDataJSON: Base64url(4_096), ...response }),
  })
const Registration = answerOf({
  attestationObject: Base64url(MAX_ANSWER),
  transports: z.array(z.string().max(32)).max(16).optional(),
})
const Authentication = answerOf({
  authenticatorData: Base64url(4_096),
  signature: Base64url(2_048),
  userHandle: Base64url(88),
})

/**
 * WebAuthn by SimpleWebAuthn, for the issuer's own origin and host.
 *
 * @returns undefined where the issuer is an IP address: browsers make passkeys for names alone (WebAuthn Level 2 §5.1.2, effective domain).
 */
export function webauthn(issuer: string): WebAuthn | undefined {
  const { hostname } = new URL(issuer)
  if (isIP(hostname.replace(/^\[|\]$/g, '')) !== 0) return undefined
  const rpID = hostname
  const expected = { expectedOrigin: issuer, expectedRPID: rpID, requireUserVerification: true }
  return {
    registrationOptions: async ({ id, name }, exclude) => {
      const options = await generateRegistrationOptions({
        ...{ rpName: RP_NAME, rpID, userName: id, userDisplayName: name, attestationType: 'none' },
        userID: Buffer.from(handleOf(issuer, id), 'base64url'),
        excludeCredentials: exclude.map((credential) => ({ id: credential })),
        // Found by the authenticator itself: nobody types a name to sign in.
        authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
        supportedAlgorithmIDs: ALGORITHMS,
        timeout: TIMEOUT_MILLISECONDS,
      })
      return { challenge: options.challenge, json: JSON.stringify(options) }
    },
    authenticationOptions: async () => {
      const options = await generateAuthenticationOptions({
        ...{ rpID, userVerification: 'required', timeout: TIMEOUT_MILLISECONDS },
      })
      return { challenge: options.challenge, json: JSON.stringify(options) }
    },
    verifyRegistration: async (text, challenge) => {
      const answer = read(Registration, text)
      if (answer === undefined) return refuse('sign_in_refused', 'that is not what an authenticator answers')
      try {
        const odd = oddAttestation(answer.response) ?? oddFrame(answer.response)
        if (odd !== undefined) return refuse('sign_in_refused', odd)
        const { transports, ...response } = answer.response
        const verified = await verifyRegistrationResponse({
          response: { ...answer, response, clientExtensionResults: {} },
          ...{ ...expected, expectedChallenge: challenge, supportedAlgorithmIDs: ALGORITHMS },
        })
        if (!verified.verified) return NOT_GOOD
        const { credential } = verified.registrationInfo
        if (credential.id !== answer.id) return NOT_GOOD
        return {
          credentialId: credential.id,
          publicKey: credential.publicKey,
          counter: credential.counter,
          transports: TRANSPORTS.filter((known) => transports?.includes(known)),
        }
      } catch (error) {
        return whyNot(error)
      }
    },
    credentialIdOf: (text) => read(Authentication, text)?.id,
    verifyAuthentication: async (text, challenge, passkey) => {
      const answer = read(Authentication, text)
      if (answer === undefined || answer.id !== passkey.credentialId) return NOT_GOOD
      // The authenticator says whose it is; it must be the one whose it was registered for (WebAuthn Level 2 §7.2 step 6).
      if (answer.response.userHandle !== handleOf(issuer, passkey.principalId)) return NOT_GOOD
      try {
        const odd = oddFrame(answer.response)
        if (odd !== undefined) return refuse('sign_in_refused', odd)
        const { verified, authenticationInfo } = await verifyAuthenticationResponse({
          response: { ...answer, clientExtensionResults: {} },
          ...{ ...expected, expectedChallenge: challenge },
          credential: { id: passkey.credentialId, publicKey: passkey.publicKey, counter: passkey.counter },
        })
        return verified ? { counter: authenticationInfo.newCounter } : NOT_GOOD
      } catch (error) {
        return whyNot(error)
      }
    },
  }
}

const NOT_GOOD = refuse('sign_in_refused', 'the passkey is not one that is good here')

/** What an authenticator remembers a principal by: it names nobody (WebAuthn Level 2 §14.6.1). */
const handleOf = (issuer: string, principalId: string): string => sha256Base64url(`${issuer}\n${principalId}`)

function read<Schema extends z.ZodType>(schema: Schema, text: string): z.output<Schema> | undefined {
  if (text.length > MAX_ANSWER) return undefined
  try {
    return schema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

/**
 * None was asked for, and of others only those that an authenticator signs by the new key itself are taken: to check a certificate is to
 * fetch what it names, from wherever it says.
 */
function oddAttestation({ attestationObject }: { readonly attestationObject: string }): string | undefined {
  const decoded = decodeAttestationObject(isoBase64URL.toBuffer(attestationObject))
  const format = decoded.get('fmt')
  const isSelf = format === 'packed' && decoded.get('attStmt').get('x5c') === undefined
  return format === 'none' || isSelf ? undefined : 'the authenticator says more about itself than it was asked'
}

/** Our pages are shown in no frame of another: neither are their passkeys used there. */
function oddFrame({ clientDataJSON }: { readonly clientDataJSON: string }): string | undefined {
  return decodeClientDataJSON(clientDataJSON).crossOrigin === true ? 'the passkey was used in a frame' : undefined
}

/** The library throws what it refuses; its words name challenges and counters, which are no secrets any more, but ours are clearer. */
function whyNot(error: unknown): Refusal<'sign_in_refused'> {
  const text = error instanceof Error ? error.message : ''
  if (/counter/.test(text))
    return refuse('sign_in_refused', 'the passkey was used before with a higher counter: it may have been copied')
  if (/user verification/i.test(text)) return refuse('sign_in_refused', 'the authenticator did not verify its user')
  return NOT_GOOD
}
