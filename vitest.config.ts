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
          pool: 'forks',
          // What a file leaves open fails it (leak-check.ts): so the next one can have its process, and the modules that are loaded there.
          isolate: false,
          // One more than the processors of CI: a fifth of the time goes by in waiting.
          maxWorkers: 3,
          testTimeout: 60_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
