/** `writ/resource`: protects a resource so that one token is good for one call. */
export { isRefusal } from '../../core/refusal.ts'
export { createKey, importKey, type PrivateJwk } from '../agent/key.ts'
export type { Signer } from '../agent/signer.ts'
export type { ActionTypes, ActualAction } from './actual-action.ts'
export type { Challenge, ResourceRefusal, ResourceRefusalCode } from './challenge.ts'
export type { ConsumeOptions } from './consume.ts'
export { type ContentDigest, contentDigest } from './content-digest.ts'
export { executeInTransaction, executeOnce, type OnceAnswer, type OnceCall } from './execute-once.ts'
export { httpRequestAction } from './http-request-action.ts'
export { type IssuerKeysOptions, IssuerUnavailableError } from './issuer-keys.ts'
export type { CallAnswer, KeptAnswer } from './kept-answer.ts'
export { authorizedBy, type KoaContext, type ProtectOptions, protect, serveMetadata, transactionOf } from './koa.ts'
export { type McpToolCall, mcpToolCallAction } from './mcp-tool-call-action.ts'
export { createMemoryReplayStore } from './memory-replay-store.ts'
export { createMemoryResultStore, type MemoryResultStoreOptions } from './memory-result-store.ts'
export type { PostgresQueries } from './postgres-queries.ts'
export {
  createPostgresReplayStore,
  POSTGRES_REPLAY_SQL,
  type PostgresReplayStore,
  type PostgresReplayStoreOptions,
} from './postgres-replay-store.ts'
export {
  createPostgresResultStore,
  POSTGRES_RESULT_SQL,
  type PostgresResultStore,
  type PostgresResultStoreOptions,
} from './postgres-result-store.ts'
export type { PostgresClient, PostgresPool } from './postgres-transaction.ts'
export type { ProtectedResourceMetadata } from './protected-resource-metadata.ts'
export type { Receipt, ReceiptOutcome } from './receipt.ts'
export type { RedisClient, RedisOptions } from './redis-commands.ts'
export { createRedisReplayStore, type RedisReplayStore } from './redis-replay-store.ts'
export { createRedisResultStore } from './redis-result-store.ts'
export type { MarkResult, ReplayMark, ReplayStore } from './replay-store.ts'
export type { ResourceRequest } from './resource-request.ts'
export {
  type Authorized,
  createResourceServer,
  type ResourceServer,
  type ResourceServerOptions,
  type UnenforcedCredentials,
} from './resource-server.ts'
export type { Call, CallState, Effect, OnceOutcome, ResultStore, TransactionalResultStore } from './result-store.ts'
export type { RevocationsOptions } from './revocation-follower.ts'
export { type SqlStatement, sqlStatementAction } from './sql-statement-action.ts'
export { StoreUnavailableError } from './store-unavailable.ts'
