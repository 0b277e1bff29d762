/*
 * What does a span cost from the entry to its COPY row, as the service is set: with the price list, with redaction rules, with a policy for prompts? Processor time of Node.js
 * alone, without Redis and PostgreSQL: npm run build, then node bench/entry-to-row.mjs. The settings take turns, the median of their turns counts; the ratio is to a service without
 * any of them.
 */
import { createWorkload } from '../dist/commands/bench/workload.js'
import { decodeEntry } from '../dist/ingest/decode-entry.js'
import { NO_PRICES } from '../dist/models/prices/price-list.js'
import { parseRules } from '../dist/models/privacy/parse-rules.js'
import { Privacy } from '../dist/models/privacy/privacy.js'
import { Redactor } from '../dist/models/privacy/redactor.js'
import { readPrices } from '../dist/read-prices.js'
import { readPrivacy } from '../dist/read-privacy.js'
import { Partitions } from '../dist/retention/partitions.js'
import { BatchRows } from '../dist/writers/batch-rows.js'
import { InternedContent } from '../dist/writers/interned-content.js'
import { RecordDecoder } from '../dist/writers/record-decoder.js'
import { createSpanTable } from '../dist/writers/span-table.js'

const ENTRIES = 2000
const TURNS = 9

const settings = {
  redact: [],
  redactionFile: undefined,
  content: 'keep',
  contentMaxCharacters: 1000,
  deadLetterPayload: 'redact',
}
const prices = readPrices()
const own = parseRules({ rules: [{ name: 'case', keys: ['*.case'], values: 'case-\\d+' }] }).rules
const contenders = {
  'no prices, nothing hidden': way(NO_PRICES, readPrivacy(settings)),
  'with the price list': way(prices, readPrivacy(settings)),
  'and CONTENT=drop': way(prices, readPrivacy({ ...settings, content: 'drop' })),
  'and CONTENT=truncate': way(prices, readPrivacy({ ...settings, content: 'truncate' })),
  'and REDACT=key': way(prices, readPrivacy({ ...settings, redact: ['key'] })),
  'and all ready rules': way(prices, readPrivacy({ ...settings, redact: ['email', 'card', 'key', 'token'] })),
  'and a rule of RE2': way(prices, new Privacy(new Redactor(own), readPrivacy(settings).content)),
}

function way(list, privacy) {
  const decoder = new RecordDecoder('traces', { acceptPastDays: 3650 }, privacy)
  const table = createSpanTable(list)
  const content = new InternedContent()
  const partitions = new Partitions({ pool: undefined, interval: 'day' })
  return (entries) => {
    const context = decoder.context(Date.now())
    for (let from = 0; from < entries.length; from += 250) {
      const rows = new BatchRows({ table, content, partitions }, 1024 * 1024)
      for (const entry of entries.slice(from, from + 250)) rows.add(decodeEntry(entry, decoder, context))
      rows.finish({ entries: [] })
    }
  }
}

const workload = createWorkload('traces', { rows: ENTRIES, seed: 1, nowMs: Date.now() })
const prose = 'The quick brown fox jumps over the lazy dog, and says: that is 42 times today. '.repeat(26)
const messages = (role) => JSON.stringify([{ role, parts: [{ type: 'text', content: prose }] }])

for (const [name, more] of [
  ['spans without prompts', {}],
  [
    'spans with a prompt and an answer of 2 KB each',
    { 'gen_ai.input.messages': messages('user'), 'gen_ai.output.messages': messages('assistant') },
  ],
]) {
  const entries = Array.from({ length: ENTRIES }, (_, index) => {
    const span = workload.record(index)
    const json = Buffer.from(JSON.stringify({ ...span, attributes: { ...span.attributes, ...more } }))
    return {
      id: { ms: BigInt(Date.now()), seq: BigInt(index) },
      fields: [Buffer.from('json'), json],
      bytes: json.length,
    }
  })
  const times = new Map(Object.keys(contenders).map((each) => [each, []]))
  for (let turn = 0; turn <= TURNS; turn += 1) {
    for (const [each, run] of Object.entries(contenders)) {
      const from = process.cpuUsage().user
      run(entries)
      // The first turn warms up.
      if (turn > 0) times.get(each).push(process.cpuUsage().user - from)
    }
  }
  console.log(`${name}, ${Math.round(entries[0].bytes)} bytes of JSON, Node.js ${process.version}`)
  const medians = [...times].map(([each, turns]) => [each, turns.sort((a, b) => a - b)[TURNS >> 1] / ENTRIES])
  for (const [each, median] of medians)
    console.log(
      `  ${each.padEnd(28)} ${(median / medians[0][1]).toFixed(2).padStart(5)} ${median.toFixed(1).padStart(7)} us/span`,
    )
}
