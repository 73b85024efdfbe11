/** Asks PostgreSQL one statement; `Pool` and `Client` of `pg` fit. */
export interface PostgresQueries {
  readonly query: (text: string, values: unknown[]) => Promise<{ readonly rows: readonly unknown[] }>
}

/** The first column named `name` of the first row, or undefined. */
export function firstValue({ rows }: { readonly rows: readonly unknown[] }, name: string): unknown {
  const [row] = rows
  return typeof row === 'object' && row !== null && Object.hasOwn(row, name) ? Reflect.get(row, name) : undefined
}
