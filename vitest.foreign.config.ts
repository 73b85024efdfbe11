import { defineConfig } from 'vitest/config'

const include = ['test/foreign/**/*.test.ts']
const url = process.env.TEST_DATABASE_URL

/** Clients and resource servers that others wrote, against a running server: on the embedded database, and on PostgreSQL when `TEST_DATABASE_URL` is set. */
export default defineConfig({
  test: {
    testTimeout: 120_000,
    hookTimeout: 120_000,
    projects: [
      { extends: true, test: { name: 'embedded', include, env: { TEST_DATABASE_URL: '' } } },
      ...(url
        ? [{ extends: true as const, test: { name: 'postgresql', include, env: { TEST_DATABASE_URL: url } } }]
        : []),
    ],
  },
})
