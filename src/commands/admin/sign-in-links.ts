import type { RegisteredSignInLink } from '../../admin-ports.ts'
import { sha256Base64url } from '../../core/hash.ts'
import { type Refusal, refuse } from '../../core/refusal.ts'
import { type AdminPorts, type ChangeCall, recordDeed } from './change-call.ts'

/** How long a link may be good. Unit: seconds. */
export const MAX_SIGN_IN_LINK_SECONDS = 86_400

/** A link with its code, which is told once, here, and kept nowhere. */
export interface OfferedSignInLink {
  readonly link: RegisteredSignInLink
  readonly code: string
}

/** Makes a one-time link with which a principal signs in in a browser. */
export function offerSignInLink(
  ports: AdminPorts,
  call: ChangeCall<OfferedSignInLink>,
  request: { readonly principalId: string; readonly expiresInSeconds: number | undefined },
): Promise<OfferedSignInLink | Refusal> {
  const now = ports.now()
  // 128 bits of chance, as of an enrolment.
  const code = ports.ids.random()
  return call.change(async (writer) => {
    // Step 1: who will sign in?
    const principal = await writer.entities.principal.hold(request.principalId)
    if (principal === undefined) return refuse('not_found', 'there is none of this id')
    if (principal.kind === 'service') {
      return refuse('status_conflict', 'a service does not sign in; persons and organizations do')
    }
    if (principal.status !== 'active') return refuse('status_conflict', 'it is suspended')

    // Step 2: write the code's digest, and who made it.
    const id = `sil_${ports.ids.recordId()}`
    await writer.signInLinks.add({
      id,
      principalId: principal.id,
      codeHash: sha256Base64url(code),
      createdBy: call.administrator.clientId,
      createdAt: now,
      expiresAt: new Date(now.getTime() + (request.expiresInSeconds ?? ports.signInLinkSeconds) * 1_000),
    })
    const link = await writer.signInLinks.find(principal.id, id)
    if (link === undefined) throw new Error('the link that was just made is missing')
    const deed = { operation: 'principal.sign_in_link', target: `${principal.id}/${id}`, principal: principal.id }
    await recordDeed(ports, call, writer, deed)
    return { link, code }
  })
}

/** Withdraws links of a principal that were not used yet: one, or all. */
export function withdrawSignInLinks(
  ports: AdminPorts,
  call: ChangeCall<{ readonly withdrawn: readonly string[] }>,
  { principalId, id }: { readonly principalId: string; readonly id: string | undefined },
): Promise<{ readonly withdrawn: readonly string[] } | Refusal> {
  return call.change(async (writer) => {
    const principal = await writer.entities.principal.hold(principalId)
    if (principal === undefined) return refuse('not_found', 'there is none of this id')
    if (id !== undefined && (await writer.signInLinks.find(principalId, id)) === undefined) {
      return refuse('not_found', 'there is no such link')
    }
    const withdrawn = await writer.signInLinks.withdraw(principalId, id, ports.now())
    for (const one of withdrawn) {
      const target = `${principalId}/${one}`
      await recordDeed(ports, call, writer, {
        operation: 'principal.withdraw_sign_in_link',
        target,
        principal: principalId,
      })
    }
    return { withdrawn }
  })
}
