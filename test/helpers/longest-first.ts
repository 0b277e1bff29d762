import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Tens of seconds each. Begun last, one of them would keep the other worker waiting for it. */
const LONGEST = [
  ...[
    'bench',
    'dead-letters-command',
    'embedded-servers',
    'shutdown',
    'faults',
    'audit',
    'redis-faults',
    'cli',
  ],
  ...['ledger-under-attack', 'hostile-input', 'refused-rows', 'otlp-under-attack'],
  ...['query-command', 'filters-and-routes', 'closed-partitions', 'answers-that-end', 'tail-command'],
].map((name) => `/${name}.test.ts`)

export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const index = LONGEST.findIndex((name) => moduleId.endsWith(name))
      return index === -1 ? LONGEST.length : index
    }
    return (await super.sort(files)).sort((a, b) => place(a) - place(b))
  }
}
