import { createMemoryReplayStore } from '../../../src/sdk/resource/memory-replay-store.ts'
import { replayStoreContract } from './replay-store-contract.ts'

// On Redis and PostgreSQL: test/pg/replay-stores.test.ts.
replayStoreContract('memory', async () => ({ store: createMemoryReplayStore(), close: async () => {} }))
