import type { BenchRun } from './bench-run.ts'
import type { BenchSetup } from './bench-setup.ts'
import { type CopyRunOptions, runCopy } from './copy-run.ts'
import type { EntryForm } from './entry-form.ts'
import { COPY_FORMATS, type CopyFormat, exportRows } from './exported-rows.ts'
import type { FilledSignal } from './fill-signal.ts'
import { runIngest } from './ingest-run.ts'
import { runInsert } from './insert-run.ts'
import type { Psql } from './psql.ts'
import { startOver } from './start-over.ts'

/** What of a signal is measured beside what else. */
export type IngestPart = 'ingest' | 'copy' | 'insert'

/** One of those that are measured in turn. Its name is the same in every report. */
export interface Contender {
  readonly name: string
  readonly part: IngestPart
  readonly form?: EntryForm
  readonly copy?: { readonly format: CopyFormat; readonly connections: number }
  /** PostgreSQL connections that write at the same time. */
  readonly connections: number
  run(): Promise<BenchRun>
}

export interface ContendersOptions {
  readonly parts: readonly IngestPart[]
  readonly psql: Psql | undefined
  readonly cpuProf?: string | undefined
}

/** All of one signal. Of `copy`, the rows that are in the database now are copied. */
export async function createContenders(
  bench: BenchSetup,
  signal: FilledSignal,
  options: ContendersOptions,
): Promise<readonly Contender[]> {
  const contenders: Contender[] = []
  if (options.parts.includes('ingest')) {
    for (const form of signal.forms) contenders.push(serviceOf(bench, signal, form, options.cpuProf))
  }
  if (options.parts.includes('copy')) contenders.push(...(await copiesOf(bench, signal, options.psql)))
  if (options.parts.includes('insert')) contenders.push(insertOf(bench, signal))
  return contenders
}

const TOO_FEW_ROWS =
  'some rates of the service begin with its first read and so have its warming up in them: at its first commit it had read more than a quarter of all rows; take more --rows'

const FORM_NAMES: Readonly<Record<EntryForm, string>> = {
  json: 'service, one record an entry',
  array: 'service, arrays of 100',
  flat: 'service, flat fields',
}

function serviceOf(
  bench: BenchSetup,
  { signal, rows, prefixOf }: FilledSignal,
  form: EntryForm,
  cpuProf: string | undefined,
): Contender {
  const streamPrefix = prefixOf(form)
  return {
    name: FORM_NAMES[form],
    part: 'ingest',
    form,
    connections: bench.settings.writeConcurrency,
    async run() {
      await startOver(bench, streamPrefix)
      const run = await runIngest(bench, { signal, streamPrefix, rows, cpuProf })
      if (run.from === 'first read') bench.note(TOO_FEW_ROWS)
      return run
    },
  }
}

async function copiesOf(
  bench: BenchSetup,
  { signal, rows, prefixOf }: FilledSignal,
  psql: Psql | undefined,
): Promise<readonly Contender[]> {
  const counts = [...new Set([1, bench.settings.writeConcurrency])]
  const contenders: Contender[] = []
  for (const format of COPY_FORMATS) {
    for (const connections of counts) {
      const shares = await exportRows(bench, { signal, format, connections })
      const copy: CopyRunOptions = { shares, format, rows, psql }
      contenders.push({
        name: `\\copy ${format}, ${connections} connection${connections === 1 ? '' : 's'}`,
        part: 'copy',
        copy: { format, connections },
        connections,
        async run() {
          await startOver(bench, prefixOf('json'))
          return runCopy(bench, copy)
        },
      })
    }
  }
  return contenders
}

function insertOf(bench: BenchSetup, { signal, rows, prefixOf }: FilledSignal): Contender {
  const streamPrefix = prefixOf('json')
  return {
    name: 'INSERT consumer',
    part: 'insert',
    connections: 1,
    async run() {
      await startOver(bench, streamPrefix)
      return runInsert(bench, { signal, streamPrefix, rows })
    },
  }
}
