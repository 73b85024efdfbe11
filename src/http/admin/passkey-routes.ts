import { z } from 'zod'
import type { ChangeCall } from '../../commands/admin/change-call.ts'
import { lookUpPasskeys } from '../../commands/admin/look-up.ts'
import { removePasskeys } from '../../commands/admin/remove-passkeys.ts'
import { Moment } from './members.ts'
import { change, list, type Route } from './route.ts'

const PATH = '/principals/:id/passkeys'

const Passkey = z
  .object({
    id: z.string(),
    label: z.string().describe('What the principal calls it.'),
    created_at: Moment,
    last_used_at: Moment.optional(),
  })
  .meta({ id: 'Passkey' })
const Removed = z.object({ removed: z.array(z.string()).describe('Ids of passkeys.') })

/** The passkeys by which a principal signs in. Only the principal adds one. */
export const passkeyRoutes: readonly Route[] = [
  list({
    ...{ path: PATH, summary: 'Lists the passkeys of a principal, newest first.', filters: z.strictObject({}) },
    ...{ operation: 'listPasskeys', shows: Passkey },
    run: (ports, { params: { id = '' }, page }) => lookUpPasskeys(ports, id, page),
    view: ({ id, label, createdAt, lastUsedAt }) => ({
      ...{ id, label, created_at: createdAt, last_used_at: lastUsedAt ?? undefined },
    }),
    position: ({ id }) => id,
  }),
  ...[PATH, `${PATH}/:passkey`].map((path) =>
    change({
      ...{ method: 'DELETE' as const, path, status: 200 as const, body: z.strictObject({}) },
      ...{ operation: path === PATH ? 'removePasskeys' : 'removePasskey', shows: Removed },
      summary: path === PATH ? 'Removes all passkeys of a principal.' : 'Removes a passkey: nobody signs in by it.',
      run: (ports, call: ChangeCall<{ readonly removed: readonly string[] }>, { params: { id = '', passkey } }) =>
        removePasskeys(ports, call, { principalId: id, id: passkey }),
      show: ({ removed }) => ({ view: { removed } }),
    }),
  ),
]
