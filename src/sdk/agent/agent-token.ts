import { isWritRefusal, type WritRefusal } from './refusal.ts'
import { type Kept, kept } from './single-flight.ts'
import { readTokenAnswer } from './token-answer.ts'
import { type IssuerDoor, tokenRequest } from './token-request.ts'

/** The token an agent shows at doors of the issuer itself. Leaves this SDK only for another agent to name this one by. */
export interface AgentToken {
  readonly accessToken: string
  /** Until when it is shown. Unit: milliseconds since the epoch, by the machine's own clock. */
  readonly goodUntil: number
}

/** How long before its expiry a token is renewed, but never earlier than half of its life. Unit: seconds. */
const MARGIN_SECONDS = 30

/** Keeps one agent token (RFC 6749 §4.4) until shortly before it expires. A refusal is not kept. */
export function agentTokens(door: IssuerDoor): Kept<AgentToken | WritRefusal> {
  const { own } = door.session.clock
  return kept(
    async () => {
      const askedAt = own().getTime()
      const body = await tokenRequest(door, { grant_type: 'client_credentials' })
      if (isWritRefusal(body)) return body
      const { accessToken, expiresInSeconds } = readTokenAnswer(body)
      const keptSeconds = Math.max(expiresInSeconds - MARGIN_SECONDS, expiresInSeconds / 2)
      return { accessToken, goodUntil: askedAt + keptSeconds * 1_000 }
    },
    (token) => !isWritRefusal(token) && own().getTime() < token.goodUntil,
  )
}
