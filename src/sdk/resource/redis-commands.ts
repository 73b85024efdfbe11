import { createHash } from 'node:crypto'
import { answerOf, checkTimeout, StoreUnavailableError } from './store-unavailable.ts'

/** A connected client: of `redis`, which has `sendCommand`, or of `ioredis`, which has `call`. */
export type RedisClient =
  | { readonly call: (command: string, ...args: string[]) => Promise<unknown> }
  | { readonly sendCommand: (args: string[]) => Promise<unknown> }

/** What the stores on Redis have in common. */
export interface RedisOptions {
  /**
   * Goes before every key. The braces keep the keys of one script on one node of a cluster. Default: `{writ}:`. Resources that
   * share a Redis may share it: keys say for which issuer and token.
   */
  readonly prefix?: string
  /**
   * Whether the eviction policy is read before the first use, and anything but `noeviction` is a fault: a Redis that may evict
   * forgets what was used while it could still be used again. `unchecked` is for services that hide `INFO memory`. Default: `checked`.
   */
  readonly eviction?: 'checked' | 'unchecked'
  /** Default: 2,000. */
  readonly timeoutMilliseconds?: number
}

/** A Redis as the stores use it. */
export interface RedisCommands {
  /** Runs a script, which Redis runs as a whole and nothing in between. @throws StoreUnavailableError */
  readonly run: (script: RedisScript, keys: readonly string[], args: readonly string[]) => Promise<unknown>
  /** Reads the eviction policy, unless it need not be read. @throws StoreUnavailableError when it is not `noeviction`. */
  readonly check: () => Promise<void>
  readonly prefix: string
}

export interface RedisScript {
  readonly lua: string
  readonly sha1: string
}

export const redisScript = (lua: string): RedisScript => ({ lua, sha1: createHash('sha1').update(lua).digest('hex') })

export function createRedisCommands(
  client: RedisClient,
  { prefix = '{writ}:', eviction = 'checked', timeoutMilliseconds = 2_000 }: RedisOptions,
): RedisCommands {
  checkTimeout(timeoutMilliseconds)
  const isUsable = 'call' in client ? typeof client.call === 'function' : typeof client?.sendCommand === 'function'
  if (!isUsable) throw new TypeError('client must be a connected client of redis or ioredis')
  // A client of ioredis has a `sendCommand` too, which takes something else.
  const send = (command: readonly [string, ...string[]]) =>
    'call' in client ? client.call(...command) : client.sendCommand([...command])
  const answer = (command: readonly [string, ...string[]]) =>
    answerOf('Redis', timeoutMilliseconds, async () => {
      try {
        return await send(command)
      } catch (error) {
        // Only its words: the error of a client has the whole command in it, and with that the answer that was to be kept.
        throw new Error(error instanceof Error ? error.message : 'the client of Redis failed')
      }
    })

  let checked: Promise<void> | undefined
  async function readPolicy(): Promise<void> {
    const [, policy] = /^maxmemory_policy:(\S+)/m.exec(String(await answer(['INFO', 'memory']))) ?? []
    if (policy === 'noeviction') return
    throw new StoreUnavailableError(
      policy === undefined
        ? 'Redis does not tell its eviction policy: see the option eviction'
        : `Redis may evict what must be remembered: set maxmemory-policy to noeviction, it is ${policy}`,
    )
  }
  /** Once it was right it is not read again; as long as it was not, every use reads it. */
  async function check(): Promise<void> {
    if (eviction === 'unchecked') return
    checked ??= readPolicy()
    try {
      await checked
    } catch (error) {
      checked = undefined
      throw error
    }
  }

  return {
    prefix,
    check,
    async run({ lua, sha1 }, keys, args) {
      await check()
      const rest = [String(keys.length), ...keys, ...args]
      try {
        return await answer(['EVALSHA', sha1, ...rest])
      } catch (error) {
        if (!isAnswer(error, 'NOSCRIPT')) throw error
        return answer(['EVAL', lua, ...rest])
      }
    },
  }
}

/** Whether Redis itself said no, with this word. */
export function isAnswer(error: unknown, word: string): boolean {
  return error instanceof StoreUnavailableError && error.cause instanceof Error && error.cause.message.startsWith(word)
}
