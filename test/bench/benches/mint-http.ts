import type { Bench, BenchContext, BenchOutcome } from '../harness/bench.ts'
import { closedLoop } from '../harness/closed-loop.ts'
import { interleave, shareFigure } from '../harness/interleave.ts'
import { attested } from '../ours/attestation.ts'
import { type Minter, type Minting, measure, mintRequests, startMinting } from '../ours/minting.ts'
import type { OurServerOptions } from '../ours/start-server.ts'
import { type OtherServer, startLimit } from '../servers/limit.ts'

const REQUESTS = 6_000
const WARM_UP = 1_000

export const MINT_HTTP: Bench = {
  name: 'mint.http',
  what: 'exchange with a remembered attestation and DPoP on PostgreSQL, against 1v1s',
  run: (context) =>
    againstLimit(context, {
      ...{ name: 'mint.http', verifies: 1, goal: 0.7, stretch: 0.8 },
      minterOf: ({ world, minter }) => attested(world, minter),
    }),
}

export const MINT_HTTP_PKJWT: Bench = {
  name: 'mint.http.pkjwt',
  what: 'exchange with private_key_jwt and DPoP on PostgreSQL, against 2v1s',
  run: (context) => againstLimit(context, { name: 'mint.http.pkjwt', verifies: 2, goal: 0.7, stretch: 0.8 }),
}

export const MINT_EMBEDDED: Bench = {
  name: 'mint.embedded',
  what: 'exchange with private_key_jwt and DPoP on the embedded database, against 2v1s',
  run: (context) =>
    againstLimit(context, {
      ...{ name: 'mint.embedded', verifies: 2, goal: 0.45, stretch: 0.6 },
      server: { database: 'embedded' },
    }),
}

interface Against {
  readonly name: string
  /** Of the limit, for each request; both sign once. */
  readonly verifies: number
  readonly goal: number
  readonly stretch: number
  readonly server?: OurServerOptions
  readonly minterOf?: (minting: Minting) => Promise<Minter>
}

/** `POST /token` for one action, its record committed before the answer, against bare node:http with the same cryptography. */
async function againstLimit(
  { size, progress }: BenchContext,
  { name, verifies, goal, stretch, server, minterOf }: Against,
): Promise<BenchOutcome> {
  const ours = await startMinting(server)
  let limit: OtherServer | undefined
  try {
    const minter = (await minterOf?.(ours)) ?? ours.minter
    // The warm-up also shows how large an answer is, for the limit to be as large.
    const { bodies } = await ours.mint(size.count(WARM_UP), { minter })
    limit = await startLimit({ verifies, signs: 1, responseBytes: Buffer.byteLength(bodies[0] ?? '') })
    const { process, target } = limit
    await closedLoop(target, mintRequests(ours.world, size.count(WARM_UP), minter), 4)
    const comparison = await interleave(
      size,
      () => measure(process, target, mintRequests(ours.world, size.count(REQUESTS), minter)),
      { ours: () => ours.mintAndReplay(size.count(REQUESTS), { minter }) },
      progress,
    )
    return { figures: [shareFigure(name, comparison, 'ours', { goal, stretch })] }
  } finally {
    await limit?.stop()
    await ours.stop()
  }
}
