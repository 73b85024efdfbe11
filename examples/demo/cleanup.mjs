// What was started is ended again, the last first: at the end, on a failure, on Ctrl-C.

/** A list of what there is to end. */
export function createCleanup() {
  const ends = []
  return {
    /** `now` is for the moment the process exits, when nothing can be waited for. */
    add(name, end, now) {
      ends.push({ name, end, now })
    },
    /** Ends everything, also when one of them fails. @returns what could not be ended. */
    async run() {
      const left = []
      while (ends.length > 0) {
        const { name, end } = ends.at(-1)
        try {
          await end()
        } catch (error) {
          left.push(`${name}: ${/** @type {Error} */ (error).message}`)
        }
        ends.pop()
      }
      return left
    },
    /** The last resort. */
    runNow() {
      for (const { now } of ends.splice(0).reverse()) now?.()
    },
  }
}
