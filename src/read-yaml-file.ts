import { readFileSync } from 'node:fs'
import { type ParseOptions, parse, type SchemaOptions } from 'yaml'
import { messageOf, ObservatoryError } from './errors.ts'

/** What is in a file, or every problem of it, each with its place. */
interface Checked {
  readonly problems?: readonly string[] | undefined
}

/**
 * Reads a YAML file that a setting names.
 *
 * @param what it is, in words that begin an error: `The price list`.
 * @throws ObservatoryError ERR_CONFIG_INVALID when it cannot be read or is none, with a line for each problem.
 */
export function readYamlFile<T extends Checked>(
  path: string,
  what: string,
  { check, ...options }: ParseOptions & SchemaOptions & { readonly check: (file: unknown) => T },
): Extract<T, { readonly problems?: undefined }> {
  let file: unknown
  try {
    file = parse(readFileSync(path, 'utf8'), options)
  } catch (error) {
    const message = `${what} ${path} cannot be read: ${messageOf(error)}`
    throw new ObservatoryError('ERR_CONFIG_INVALID', message, { cause: error })
  }
  const checked = check(file)
  if (checked.problems === undefined) return checked as Extract<T, { readonly problems?: undefined }>
  const lines = checked.problems.map((line) => `  ${line}`).join('\n')
  throw new ObservatoryError('ERR_CONFIG_INVALID', `${what} ${path} is wrong:\n${lines}`)
}
