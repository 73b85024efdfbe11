import { randomUUID } from 'node:crypto'
import { exchangeRequest } from '../../support/clients.ts'
import type { Bench, Figure, Size } from '../harness/bench.ts'
import { costFigure, interleave, type Turn } from '../harness/interleave.ts'
import { attested, offersAttestation } from '../ours/attestation.ts'
import { type Minting, measure, mintRequest, mintRequests, rawRequest, startMinting } from '../ours/minting.ts'
import { openServerKeys } from '../ours/server-keys.ts'

const REQUESTS = 2_000
/** What can be seen to be wrong by looking at it. */
const CHEAP = 0.4
/** What has to be looked up first. */
const NEVER_MORE = 1.1

/**
 * With an attestation nothing is verified for it. With `private_key_jwt` the assertion is judged in full first: if both are wrong, the
 * client is what is wrong (wire contract, section 2).
 */
async function malformedAttested(
  { world, minter, process, target }: Minting,
  count: number,
  size: Size,
  progress: (line: string) => void,
): Promise<Figure> {
  const shown = await attested(world, minter)
  const malformed = () => mintRequest(world, shown, {}, ['not a proof'])
  const turn = (make: () => Buffer, statuses?: readonly number[]) =>
    measure(process, target, Array.from({ length: count }, make), undefined, statuses)
  const mint = () => measure(process, target, mintRequests(world, count, shown))
  const sides = { malformed: () => turn(malformed, [400, 401]) }
  const comparison = await interleave(size, mint, sides, progress)
  return costFigure('deny.http malformed proof, attestation', comparison, 'malformed', { goal: CHEAP })
}

/** A refusal must not cost more than what it refuses: refusing is what an attacker can have for nothing. */
export const DENY_HTTP: Bench = {
  name: 'deny.http',
  what: 'exchanges that are refused (private_key_jwt), against ones that are not',
  run: async ({ size, progress }) => {
    const ours = await startMinting()
    try {
      const { world, minter, process, target } = ours
      const { principal: principalId, agent, issuer, wish } = world
      const count = size.count(REQUESTS)
      const keys = await openServerKeys(ours)
      const unknown = keys.subjectToken({ id: `dlg_${randomUUID()}`, principalId, agentId: agent.id })
      const outside = { ...world.action, to: ['eve@elsewhere.example'] }
      const refused =
        (statuses: readonly number[], make: () => Buffer): Turn =>
        () =>
          measure(process, target, Array.from({ length: count }, make), undefined, statuses)
      let minted = mintRequests(world, 0, minter)

      const comparison = await interleave(
        size,
        async () => {
          minted = mintRequests(world, count, minter)
          return measure(process, target, minted)
        },
        {
          // Those of the mint just before.
          replay: () => measure(process, target, minted, undefined, [400, 401]),
          'malformed proof': refused([400, 401], () => mintRequest(world, minter, {}, ['not a proof'])),
          'malformed action': refused([400], () =>
            rawRequest(exchangeRequest(issuer, agent, wish, { form: { authorization_details: '[{"type":' } })),
          ),
          'unknown delegation': refused([400], () => mintRequest(world, { ...minter, subjectToken: unknown })),
          'outside its bounds': refused([400], () => mintRequest(world, minter, { action: outside })),
        },
        progress,
      )
      const figure = (side: keyof typeof comparison.sides, goal: number) =>
        costFigure(`deny.http ${side}`, comparison, side, { goal })
      const figures = (await offersAttestation(issuer)) ? [await malformedAttested(ours, count, size, progress)] : []
      return {
        figures: [
          ...figures,
          figure('replay', CHEAP),
          figure('malformed proof', CHEAP),
          figure('malformed action', CHEAP),
          figure('unknown delegation', NEVER_MORE),
          figure('outside its bounds', NEVER_MORE),
        ],
      }
    } finally {
      await ours.stop()
    }
  },
}
