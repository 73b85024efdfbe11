import { z } from 'zod'
import { CHALLENGE_SECONDS } from '../../commands/people/passkeys.ts'
import { type SealedCookie, type Sealing, sealedCookie } from './sealed-cookie.ts'

const Challenge = z.strictObject({
  challenge: z.string().min(16).max(128),
  /** Of a passkey that is to be added: the login that asked. Absent: of a sign-in. */
  loginId: z.string().max(255).optional(),
})
export type Challenge = z.infer<typeof Challenge>

/** The challenge that a browser's authenticator is to answer, held by that browser: nobody else can answer it. */
export const challengeCookie = (sealing: Sealing, now: () => Date): SealedCookie<Challenge> =>
  sealedCookie({
    name: '__Host-writ_passkey',
    content: Challenge,
    lifetimeSeconds: CHALLENGE_SECONDS,
    sealing,
    now,
  })
