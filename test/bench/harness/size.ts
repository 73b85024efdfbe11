import type { Size } from './bench.ts'

/** What may be asked for on the command line. */
export interface SizeOptions {
  readonly rounds?: number
  readonly rows?: readonly number[]
  readonly records?: number
}

const FULL = { rounds: 7, rows: [100, 10_000, 1_000_000], records: 10_000_000 }

export const fullSize = (options: SizeOptions = {}): Size => ({
  ...{ ...FULL, ...options },
  isSmoke: false,
  warmUpRounds: 2,
  count: (full) => full,
  seconds: (full) => full,
})

const SMOKE_SHARE = 100

/** As little as shows that every part of a bench works. */
export const SMOKE: Size = {
  isSmoke: true,
  rounds: 1,
  warmUpRounds: 0,
  rows: [20, 40],
  records: 100,
  count: (full) => Math.max(16, Math.ceil(full / SMOKE_SHARE)),
  seconds: (full) => Math.min(full, 1),
}
