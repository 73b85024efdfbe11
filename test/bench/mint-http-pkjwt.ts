import { closedLoop } from './closed-loop.ts'
import { type Comparison, interleave } from './interleave.ts'
import { type MeasuredProcess, startMeasured } from './measured-process.ts'
import { checkReplay, measure, mintRequests, startMinting } from './minting.ts'

const ROUNDS = 7
const REQUESTS = 3_000
const WARM_UP = 1_000
const REPLAYED = 16

/**
 * mint.http.pkjwt: `POST /token` with `private_key_jwt` and DPoP, one action, the record committed in PostgreSQL before the
 * answer, against `2v1s`: two verifications and one signature in bare node:http.
 *
 * Checks what it mints: no errors, as many ids as requests, a replayed batch refused whole, a sample decoded.
 */
export async function mintHttpPrivateKeyJwt(progress: (line: string) => void): Promise<Comparison> {
  const ours = await startMinting()
  let limit: MeasuredProcess | undefined
  try {
    // The warm-up also shows how large an answer is, for the limit to be as large.
    const { bodies } = await ours.mint(WARM_UP)
    const responseBytes = Buffer.byteLength(bodies[0] ?? '')
    const isReady = (line: string) => line.startsWith('listening on')
    limit = await startMeasured(['.bench/test/bench/limit-server.js', '2', '1', String(responseBytes)], {}, isReady)
    const limitTarget = { host: '127.0.0.1', port: Number(limit.readyLine.slice('listening on '.length)) }
    await closedLoop(limitTarget, mintRequests(ours.world, WARM_UP), REPLAYED)

    const measuredLimit = limit
    return await interleave(
      ROUNDS,
      () => measure(measuredLimit, limitTarget, mintRequests(ours.world, REQUESTS)),
      async () => {
        const sample = await ours.mint(REQUESTS)
        const replayed = mintRequests(ours.world, REPLAYED)
        await closedLoop(ours.target, replayed, REPLAYED)
        await checkReplay(ours.target, replayed)
        return sample
      },
      progress,
    )
  } finally {
    await limit?.stop()
    await ours.stop()
  }
}
