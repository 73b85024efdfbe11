import { DENY_HTTP } from './benches/deny-http.ts'
import { INTROSPECT_HTTP } from './benches/introspect-http.ts'
import { MEM } from './benches/mem.ts'
import { MINT_COLDKEYS } from './benches/mint-coldkeys.ts'
import { MINT_CORE } from './benches/mint-core.ts'
import { MINT_EMBEDDED, MINT_HTTP, MINT_HTTP_PKJWT } from './benches/mint-http.ts'
import { MINT_PEER } from './benches/mint-peer.ts'
import { MINT_TAIL } from './benches/mint-tail.ts'
import { SCALE_PROCS } from './benches/scale-procs.ts'
import { SCALE_ROWS } from './benches/scale-rows.ts'
import { SCALE_DEPTH, VERIFY_MATCH, VERIFY_PEERS, VERIFY_RS } from './benches/verify.ts'
import type { Bench } from './harness/bench.ts'

/** Every bench, in the order of the table in docs/performance.md. */
export const BENCHES: readonly Bench[] = [
  ...[MINT_CORE, MINT_HTTP, MINT_HTTP_PKJWT, MINT_EMBEDDED, MINT_PEER, MINT_TAIL, MINT_COLDKEYS],
  DENY_HTTP,
  ...[VERIFY_RS, VERIFY_PEERS, VERIFY_MATCH],
  INTROSPECT_HTTP,
  ...[SCALE_ROWS, SCALE_DEPTH, SCALE_PROCS],
  MEM,
]
