import { z } from 'zod'
import { addKey } from '../../commands/admin/add-key.ts'
import type { ChangeCall } from '../../commands/admin/change-call.ts'
import { lookUpKey, lookUpKeys } from '../../commands/admin/look-up.ts'
import type { ClientNoun, RegisteredKey } from '../../commands/admin/registered.ts'
import { retireKey } from '../../commands/admin/retire-key.ts'
import { KeyRegistration, keyView, ReasonOnly, ShownKey } from './members.ts'
import { change, list, type Route, type Shown, show } from './route.ts'

/** The keys of agents, resources and administrators. A key has no entity tag: nothing of it can be changed but its end. */
export function keyRoutes(noun: ClientNoun, owners: `/${string}`): readonly Route[] {
  const path = `${owners}/:id/keys`
  const owner = OWNERS[noun]
  const shown = (key: RegisteredKey): Shown => ({ view: keyView(key) })
  return [
    change({
      ...{ method: 'POST', path, summary: 'Registers one more public key.', status: 201, body: KeyRegistration },
      ...{ operation: `add${owner}Key`, shows: ShownKey },
      run: (ports, call: ChangeCall<RegisteredKey>, { params: { id = '' }, body }) =>
        addKey(ports, call, { noun, id, key: body }),
      show: (key, exchange) => ({ ...shown(key), location: `${exchange.path}/${key.kid}` }),
    }),
    list({
      ...{ path, summary: 'Lists keys, retired ones included, in order of kid.', filters: z.strictObject({}) },
      ...{ operation: `list${owner}Keys`, shows: ShownKey },
      run: (ports, { params: { id = '' }, page }) => lookUpKeys(ports, noun, id, page),
      view: keyView,
      position: ({ kid }) => kid,
    }),
    show({
      ...{ path: `${path}/:kid`, summary: 'Shows a key.', operation: `show${owner}Key`, shows: ShownKey },
      run: (ports, { id = '', kid = '' }) => lookUpKey(ports, noun, id, kid),
      show: shown,
    }),
    change({
      ...{ method: 'DELETE', path: `${path}/:kid`, summary: 'Retires a key, for ever.', status: 200, body: ReasonOnly },
      ...{ operation: `retire${owner}Key`, shows: ShownKey },
      run: (ports, call: ChangeCall<RegisteredKey>, { params: { id = '', kid = '' }, body: { reason } }) =>
        retireKey(ports, call, { noun, id, kid, reason }),
      show: shown,
    }),
  ]
}

const OWNERS: Readonly<Record<ClientNoun, string>> = { agent: 'Agent', resource: 'Resource', administrator: 'Client' }
