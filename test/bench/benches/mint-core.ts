import { type Bench, CannotRun, type Figure } from '../harness/bench.ts'
import { costFigure, interleave } from '../harness/interleave.ts'
import { type MeasuredWorker, startWorker } from '../harness/measured-process.ts'
import { attested, offersAttestation } from '../ours/attestation.ts'
import { startMinting } from '../ours/minting.ts'
import type { MintCoreTold } from '../workers/mint-core-worker.ts'

const MINTS = 4_000
const GOALS = { goal: 1.35, stretch: 1.2 }

/** The command without HTTP: what is left above the cryptography is ours alone. */
export const MINT_CORE: Bench = {
  name: 'mint.core',
  what: 'the command in process (proof, decision, durable record, signature), against the raw cryptography',
  run: async ({ size, progress }) => {
    // A server of its own on the same database registers what the worker then mints for.
    const registrar = await startMinting()
    const workers: MeasuredWorker[] = []
    try {
      const { issuer, world, dataDirectory, database, minter } = registrar
      if (database === undefined) throw new CannotRun('mint.core needs PostgreSQL')
      const { agent, wish } = world
      const hasAttestation = await offersAttestation(issuer)
      const { attestation } = hasAttestation ? await attested(world, minter) : minter
      const told: MintCoreTold = {
        ...{ issuer, dataDirectory, databaseUrl: database.url, agentId: agent.id, wish, attestation },
        agentKey: agent.key.privateKey.export({ format: 'jwk' }) as Record<string, string>,
      }
      const [ours, raw] = await Promise.all([
        startWorker('workers/mint-core-worker.js', told, { isOurs: true }),
        startWorker('workers/raw-crypto-worker.js', {}),
      ])
      workers.push(ours, raw)
      const count = size.count(MINTS)
      const compare = async (authentication: string, limit: string): Promise<Figure> => {
        const reference = () => raw.measure(limit, count)
        const turns = { ours: () => ours.measure(authentication, count) }
        const comparison = await interleave(size, reference, turns, progress)
        return costFigure(`mint.core, ${authentication} against ${limit}`, comparison, 'ours', GOALS)
      }
      const figures = hasAttestation ? [await compare('attestation', '1v1s')] : []
      return { figures: [...figures, await compare('private_key_jwt', '2v1s')] }
    } finally {
      for (const worker of workers) await worker.stop()
      await registrar.stop()
    }
  },
}
