import { defineConfig } from 'vitest/config'

/** The suites that need PostgreSQL, those of the stores once more on it, and what takes too long for every run. */
export default defineConfig({
  test: {
    env: { TEST_DATABASE_URL: process.env.TEST_DATABASE_URL || 'postgresql://postgres@127.0.0.1:5432/postgres' },
    testTimeout: 180_000,
    hookTimeout: 120_000,
    // As many as the small machine has cores.
    maxConcurrency: 2,
    projects: [
      {
        extends: true,
        test: {
          name: 'stores',
          // Two at a time: nothing in them is measured by the clock. The demo, broken in each of its steps, takes as long as the rest.
          include: [
            ...['test/contract/**/*.test.ts', 'test/adapters/**/*.test.ts'],
            'test/process/demo-broken.test.ts',
          ],
          maxWorkers: 2,
          isolate: false,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'processes',
          include: ['test/pg/**/*.test.ts', 'test/process/crash-embedded.test.ts'],
          // One after the other: several start processes of their own, and what shows within a second is measured.
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
