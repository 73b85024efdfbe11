import { defineConfig } from 'vitest/config'

/** The suites that need PostgreSQL, those of the stores once more on it, and what takes too long for every run. */
export default defineConfig({
  test: {
    include: [
      'test/pg/**/*.test.ts',
      'test/contract/**/*.test.ts',
      'test/adapters/**/*.test.ts',
      'test/process/crash-embedded.test.ts',
      'test/process/demo-broken.test.ts',
    ],
    env: { TEST_DATABASE_URL: process.env.TEST_DATABASE_URL || 'postgresql://postgres@127.0.0.1:5432/postgres' },
    // One after the other: several start processes of their own, and what shows within a second is measured.
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 120_000,
    // As many as the small machine has cores.
    maxConcurrency: 2,
  },
})
