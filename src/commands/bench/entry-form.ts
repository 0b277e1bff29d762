import type { BenchRecord } from './workload.ts'

/** How records are put into stream entries: one as JSON, a hundred as a JSON array, one as flat fields. */
export const ENTRY_FORMS = ['json', 'array', 'flat'] as const

export type EntryForm = (typeof ENTRY_FORMS)[number]

/** Records of one entry of each form. */
export const RECORDS_PER_ENTRY: Readonly<Record<EntryForm, number>> = { json: 1, array: 100, flat: 1 }

/** The fields of an entry, names and values in turn. `flat` takes the first record alone. */
export function entryFields(form: EntryForm, records: readonly BenchRecord[]): readonly string[] {
  if (form === 'array') return ['json', JSON.stringify(records)]
  const [record = {}] = records
  return form === 'json' ? ['json', JSON.stringify(record)] : flatFields(record)
}

/** As a script would write it: attributes are fields of their own, what has fields inside is JSON text. */
function flatFields({ attributes, ...fields }: BenchRecord): readonly string[] {
  return Object.entries({ ...fields, ...(attributes as BenchRecord | undefined) }).flatMap(
    ([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)],
  )
}
