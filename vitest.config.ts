import { defineConfig } from 'vitest/config'
import { builtSources } from './test/helpers/built-sources.ts'
import LongestFirst from './test/helpers/longest-first.ts'

export default defineConfig({
  test: {
    reporters: ['default', './test/helpers/closing-line-reporter.ts'],
    // A test that leaves a server or a timer behind must be seen, not waited for.
    teardownTimeout: 30_000,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          // They leave nothing behind: modules are evaluated once a worker, not once a file.
          isolate: false,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        plugins: [builtSources()],
        test: {
          name: 'integration',
          server: { deps: { external: [/\/dist\/.*\.js$/] } },
          include: ['test/integration/**/*.test.ts'],
          globalSetup: ['test/helpers/start-servers.ts'],
          setupFiles: ['test/helpers/leak-check.ts'],
          // A process per file: what a file leaves open can be told from what the next one opens.
          pool: 'forks',
          isolate: true,
          maxWorkers: 2,
          testTimeout: 60_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
