import { describe, expect, test } from 'vitest'
import { parseRetentionRules } from '../../../src/models/retention-rule.ts'

const rulesOf = (text: string) => {
  const parsed = parseRetentionRules(text)
  if ('problems' in parsed) throw new Error(parsed.problems.join('\n'))
  return parsed.rules
}
const problemsOf = (text: string) => {
  const parsed = parseRetentionRules(text)
  return 'problems' in parsed ? parsed.problems : []
}

describe('rules of retention', () => {
  test('are a signal, conditions and days, one a line or with commas between', () => {
    expect(
      rulesOf(
        'logs level<=debug 3, traces   service=checkout\tstatus=error 90\n\nmetrics attr.host=a forever # yes\n',
      ),
    ).toEqual([
      {
        signal: 'logs',
        conditions: [{ word: 'level', from: 1, to: 8 }],
        days: 3,
        text: 'logs level<=debug 3',
      },
      {
        signal: 'traces',
        conditions: [
          { word: 'service', value: 'checkout' },
          { word: 'status', code: 2 },
        ],
        days: 90,
        text: 'traces service=checkout status=error 90',
      },
      {
        signal: 'metrics',
        conditions: [{ word: 'attribute', key: 'host', value: 'a' }],
        days: Number.POSITIVE_INFINITY,
        text: 'metrics attr.host=a forever',
      },
    ])
    expect(rulesOf(' # nothing\n, ;')).toEqual([])
  })

  test('have values with blanks, commas, quotes and signs of equality in them', () => {
    const text = String.raw`logs service="a, b; \"c\" # d" attr.k=x=y<=z 3`
    const [rule] = rulesOf(text)
    expect(rule?.conditions).toEqual([
      { word: 'service', value: 'a, b; "c" # d' },
      { word: 'attribute', key: 'k', value: 'x=y<=z' },
    ])
    // As settings keep them.
    expect(rulesOf(rule?.text ?? '')).toEqual([rule])
  })

  test.each([
    ['level<=debug', 1, 8],
    ['level<=warn', 1, 16],
    ['level<=notice', 1, 10],
    ['level>=error', 17, 24],
    ['level>=WARNING', 13, 24],
    ['level<=7', 1, 8],
  ])('know levels as queries do: %s', (condition, from, to) => {
    expect(rulesOf(`logs ${condition} 3`)[0]?.conditions).toEqual([{ word: 'level', from, to }])
  })

  test('know durations', () => {
    expect(rulesOf('traces minDuration=2s maxDuration=1m 3')[0]?.conditions).toEqual([
      { word: 'minDuration', nanos: 2_000_000_000n },
      { word: 'maxDuration', nanos: 60_000_000_000n },
    ])
  })

  test.each([
    [
      'log level<=debug 3',
      /^rule 1 \(log level<=debug 3\) must begin with traces, metrics, logs, not log; expected such as/,
    ],
    ['logs 3', /has no condition; for all logs set RETENTION_LOGS_DAYS/],
    [
      'logs level<=debug',
      /must end with days, a whole number from 1 to 36500, or forever, not with level<=debug/,
    ],
    ['logs level<=debug 0', /must end with days.*, not with 0$/],
    ['logs level<=debug 1.5', /not with 1\.5$/],
    ['logs level<=debug 99999', /from 1 to 36500/],
    ['logs', /not with nothing$/],
    ['logs level=debug 3', /has level=debug; expected level<=debug or level>=debug/],
    ['logs level<=loud 3', /has the level loud; expected one of trace, debug, info/],
    [
      'logs status=error 3',
      /has status, which is no word of logs; logs have service, environment, name, level and attr\.<name>/,
    ],
    ['traces level>=error 3', /has level, which is no word of traces; traces have service,/],
    ['traces status=bad 3', /has status=bad; expected one of unset, ok, error/],
    ['traces kind=x 3', /has kind=x; expected one of unspecified, internal/],
    ['traces service<=a 3', /has service<=; only level may have <= or >=, expected service=…/],
    ['traces minDuration=soon 3', /has minDuration=soon; expected a duration/],
    ['traces service= 3', /has no value of service/],
    ['traces service="a 3', /must end with days/],
    ['traces broken 3', /has broken, which is no condition/],
    ['traces attr.=x 3', /has attr\., which is no word of traces/],
  ])('are refused with what would be right: %s', (text, problem) => {
    expect(problemsOf(text)).toEqual([expect.stringMatching(problem)])
  })

  test('are refused all at once', () => {
    expect(
      problemsOf('logs 3, logs level<=debug 3\nspans a=b 1').map((problem) => problem.slice(0, 7)),
    ).toEqual(['rule 1 ', 'rule 3 '])
  })
})
