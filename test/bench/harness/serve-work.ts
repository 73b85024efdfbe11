/** One kind of work: what it needs is made first, then it is done. */
export interface Work {
  readonly prepare: (count: number) => Promise<void> | void
  /** Does what was prepared. @returns what the parent may want to know. @throws when anything came out wrong. */
  readonly run: () => Promise<unknown> | unknown
}

/** The worker's side of `startWorker`: does what the parent asks for, one thing at a time. */
export function serveWork(kinds: Readonly<Record<string, Work>>): void {
  process.on('message', async (message: { step: 'prepare' | 'run'; work: string; count: number }) => {
    try {
      const work = kinds[message.work]
      if (work === undefined) throw new Error(`there is no work "${message.work}"`)
      if (message.step === 'run') return void process.send?.({ answer: await work.run() })
      await work.prepare(message.count)
      // What the preparation left behind is not the work's. The young generation only: a full collection would also throw away
      // compiled code, which a program that keeps working never loses, and each turn would measure the compiler again.
      Reflect.get(globalThis, 'gc')?.({ type: 'minor' })
      process.send?.({})
    } catch (error) {
      process.send?.({ error: (error as Error).stack ?? String(error) })
    }
  })
  process.once('SIGTERM', () => process.exit(0))
  process.send?.({})
}

/** What the parent told this worker. */
export const told = <Told>(): Told => JSON.parse(process.argv[2] ?? '{}') as Told

/**
 * A text as node:http hands one out: characters in a row. What is put together from parts is a tree of them, and whoever reads it
 * first lays them out in a row, at a cost that is the generator's.
 */
export const asReceived = (text: string): string => Buffer.from(text, 'latin1').toString('latin1')
