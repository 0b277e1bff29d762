import { ObservatoryError } from '../../errors.ts'
import type { AttributeValue } from '../../models/attributes.ts'
import { stringifyJson } from '../../models/json.ts'
import { readRow } from '../query/table-column.ts'
import { terminalLine } from '../terminal-text.ts'
import type { Format } from './line.ts'
import { RECORD_FIELDS } from './record-fields.ts'
import type { TailedRecord } from './tailed-record.ts'

type Part = (record: TailedRecord) => string

const HOLE = /\{\{([^{}]*)\}\}/

/**
 * A record in the words of a template: `{{time}} {{service}} {{attributes.user.id}}`. A hole is a path in the record, or one of {@link RECORD_FIELDS}; where
 * there is nothing it is empty. `\t` and `\\` are a tab and a backslash.
 *
 * @throws ObservatoryError ERR_USAGE for what is no template.
 */
export function templateLine(template: string): Format {
  // Texts and holes, one after the other.
  const parts = template.split(HOLE).map((text, index) => (index % 2 === 0 ? textPart(text) : holePart(text)))
  if (parts.length === 1) throw usage('has no {{field}}; such as {{time}} {{service}} {{body}}')
  return (json) => {
    const record = readRow<TailedRecord>(json)
    return [{ text: parts.map((part) => part(record)).join('') }]
  }
}

function textPart(text: string): Part {
  const stray = /\{\{|\}\}/.exec(text)
  if (stray !== null) throw usage(`has a ${stray[0]} alone; a field is written {{name}}`)
  const shown = text.replaceAll(/\\([t\\])/g, (_, character: string) => (character === 't' ? '\t' : '\\'))
  return () => shown
}

function holePart(written: string): Part {
  const path = written.trim()
  if (path === '') throw usage('has an empty {{}}; it wants the name of a field')
  const told = Object.hasOwn(RECORD_FIELDS, path)
    ? RECORD_FIELDS[path as keyof typeof RECORD_FIELDS]
    : (record: TailedRecord) => valueAt(record as unknown as AttributeValue, path)
  return (record) => {
    const value = told(record) ?? ''
    return terminalLine(typeof value === 'string' ? value : stringifyJson(value))
  }
}

/** Keys of attributes have dots: of `user.id` and `id` in `user`, the longest key that there is. */
function valueAt(value: AttributeValue | undefined, path: string): AttributeValue | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const members = value as Readonly<Record<string, AttributeValue>>
  for (let end = path.length; end > 0; end = path.lastIndexOf('.', end - 1)) {
    const key = path.slice(0, end)
    if (!Object.hasOwn(members, key)) continue
    return end === path.length ? members[key] : valueAt(members[key], path.slice(end + 1))
  }
  return undefined
}

function usage(what: string): ObservatoryError {
  return new ObservatoryError('ERR_USAGE', `--template ${what}`)
}
