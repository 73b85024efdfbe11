import type { Bench } from '../harness/bench.ts'
import { costFigure, interleave } from '../harness/interleave.ts'
import { attested, offersAttestation } from '../ours/attestation.ts'
import { measure, startMinting } from '../ours/minting.ts'
import { type Peer, startPeer } from '../servers/peer.ts'

const REQUESTS = 3_000
const RESOURCE = 'https://mail.example'
const GOALS = { goal: { atLeast: 3 }, stretch: { atLeast: 3.5 } }

/**
 * What a stock oidc-provider spends on a JWT access token, in what we spend on an action token.
 *
 * It keeps nothing on disk, knows no delegation and decides nothing: what it is spared is on its side of the scale.
 */
export const MINT_PEER: Bench = {
  name: 'mint.peer',
  what: 'client_credentials with private_key_jwt and DPoP at a stock oidc-provider, against our exchange',
  run: async ({ size, progress }) => {
    const ours = await startMinting()
    let peer: Peer | undefined
    try {
      const { world, minter } = ours
      peer = await startPeer()
      const { process, target, tokenRequest } = peer
      const count = size.count(REQUESTS)
      const make = () => Array.from({ length: count }, () => tokenRequest(RESOURCE))
      const { bodies } = await measure(process, target, make())
      const isJwt = bodies.every((body) => JSON.parse(body).access_token.split('.').length === 3)
      if (!isJwt) throw new Error('the peer did not answer with JWTs')

      const compare = async (name: string, chosen: typeof minter) => {
        const reference = () => ours.mintAndReplay(count, { minter: chosen })
        const sides = { peer: () => measure(process, target, make()) }
        return { ...costFigure(name, await interleave(size, reference, sides, progress), 'peer', {}), ...GOALS }
      }
      const figures = [await compare('mint.peer, ours with private_key_jwt', minter)]
      if (await offersAttestation(world.issuer)) {
        figures.push(await compare('mint.peer, ours with an attestation', await attested(world, minter)))
      }
      return { figures }
    } finally {
      await peer?.stop()
      await ours.stop()
    }
  },
}
