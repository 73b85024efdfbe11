import { type Bench, CannotRun } from '../harness/bench.ts'
import { costFigure, interleave } from '../harness/interleave.ts'
import { type MeasuredWorker, startWorker } from '../harness/measured-process.ts'
import { startMinting } from '../ours/minting.ts'
import type { MintCoreTold } from '../workers/mint-core-worker.ts'

const MINTS = 4_000

/** The command without HTTP: what is left above the cryptography is ours alone. */
export const MINT_CORE: Bench = {
  name: 'mint.core',
  what: 'the command in process (assertion, proof, decision, durable record, signature), against 2v1s',
  run: async ({ size, progress }) => {
    // A server of its own on the same database registers what the worker then mints for.
    const registrar = await startMinting()
    const workers: MeasuredWorker[] = []
    try {
      const { issuer, world, dataDirectory, database } = registrar
      if (database === undefined) throw new CannotRun('mint.core needs PostgreSQL')
      const { agent, wish } = world
      const told: MintCoreTold = {
        ...{ issuer, dataDirectory, databaseUrl: database.url, agentId: agent.id, wish },
        agentKey: agent.key.privateKey.export({ format: 'jwk' }) as Record<string, string>,
      }
      const [ours, raw] = await Promise.all([
        startWorker('workers/mint-core-worker.js', told, { isOurs: true }),
        startWorker('workers/raw-crypto-worker.js', { verifies: 2, signs: 1 }),
      ])
      workers.push(ours, raw)
      const count = size.count(MINTS)
      const comparison = await interleave(
        size,
        () => raw.measure('raw', count),
        { ours: () => ours.measure('mint', count) },
        progress,
      )
      return { figures: [costFigure('mint.core', comparison, 'ours', { goal: 1.35, stretch: 1.2 })] }
    } finally {
      for (const worker of workers) await worker.stop()
      await registrar.stop()
    }
  },
}
