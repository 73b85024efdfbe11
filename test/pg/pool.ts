import pg from 'pg'

/** A pool of a test's own. Connections that the end of the database cuts are what the test is about, or over. */
export function openPool(connectionString: string, max = 10): pg.Pool {
  const pool = new pg.Pool({ connectionString, max })
  pool.on('error', () => {})
  return pool
}
