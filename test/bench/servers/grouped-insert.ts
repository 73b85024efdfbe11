import { randomUUID } from 'node:crypto'
import pg from 'pg'

const MAX_FLUSH = 128

/**
 * The cheapest durable record there is: rows that come while one INSERT is under way go together with the next.
 *
 * @returns what inserts a text of its own and resolves when it is committed.
 */
export async function groupedInsert(databaseUrl: string): Promise<(text: string) => Promise<void>> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  await client.query('CREATE TABLE IF NOT EXISTS limit_record (id uuid PRIMARY KEY, text text NOT NULL)')
  const waiting: { readonly text: string; readonly resolve: () => void; readonly reject: (error: unknown) => void }[] =
    []
  let isFlushing = false
  const flushAll = async () => {
    await new Promise(setImmediate)
    while (waiting.length > 0) {
      const batch = waiting.splice(0, MAX_FLUSH)
      const values = [batch.map(() => randomUUID()), batch.map(({ text }) => text)]
      const sql = 'INSERT INTO limit_record (id, text) SELECT * FROM unnest($1::uuid[], $2::text[])'
      await client.query({ name: 'insert', text: sql, values }).then(
        () => batch.forEach(({ resolve }) => void resolve()),
        (error: unknown) => batch.forEach(({ reject }) => void reject(error)),
      )
    }
    isFlushing = false
  }
  return (text) =>
    new Promise((resolve, reject) => {
      waiting.push({ text, resolve, reject })
      if (isFlushing) return
      isFlushing = true
      void flushAll()
    })
}
