/** A value that is fetched when it is first needed, by one request however many wait for it, and kept while it is good. */
export interface Kept<Value> {
  readonly get: () => Promise<Value>
  /** Lets go of a value that turned out to be no good; of no other, which somebody may have fetched meanwhile. */
  readonly drop: (value: Value) => void
}

/** @param isGood whether a value may be kept, asked whenever it is wanted again. A fetch that throws keeps nothing. */
export function kept<Value>(fetchValue: () => Promise<Value>, isGood: (value: Value) => boolean): Kept<Value> {
  let current: { readonly value: Value } | undefined
  let inFlight: Promise<Value> | undefined
  return {
    get() {
      if (current !== undefined && isGood(current.value)) return Promise.resolve(current.value)
      inFlight ??= fetchValue()
        .then((value) => {
          current = { value }
          return value
        })
        .finally(() => {
          inFlight = undefined
        })
      return inFlight
    },
    drop(value) {
      if (current?.value === value) current = undefined
    },
  }
}
