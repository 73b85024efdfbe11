import { MINT_CORE } from './benches/mint-core.ts'
import { MINT_EMBEDDED, MINT_HTTP, MINT_HTTP_PKJWT } from './benches/mint-http.ts'
import { SCALE_DEPTH, VERIFY_MATCH, VERIFY_PEERS, VERIFY_RS } from './benches/verify.ts'
import type { Bench } from './harness/bench.ts'

/** Every bench, in the order of the table in docs/performance.md. */
export const BENCHES: readonly Bench[] = [
  MINT_CORE,
  MINT_HTTP,
  MINT_HTTP_PKJWT,
  MINT_EMBEDDED,
  VERIFY_RS,
  VERIFY_PEERS,
  VERIFY_MATCH,
  SCALE_DEPTH,
]
