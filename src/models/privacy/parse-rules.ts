import { RE2JS } from 're2js'
import { isPlainObject } from '../decode-fields.ts'
import { NamePattern } from '../name-pattern.ts'
import { READY_RULE_NAMES } from './ready-rules.ts'
import { type RedactionRule, RULE_NAME } from './redaction-rule.ts'

/** Rules, or every problem of them, each with its place. */
export type ParsedRules =
  | { readonly rules: readonly RedactionRule[]; readonly problems?: undefined }
  | { readonly rules?: undefined; readonly problems: readonly string[] }

const NAMES = ['name', 'keys', 'values']
/** Each runs over every text. */
const MAX_RULES = 100

/**
 * Reads redaction rules of somebody's own: `{rules: [{name, keys: [glob, …], values: pattern}]}`. A pattern is RE2's syntax, which has no look around and
 * no references back, and takes time linear in the text, whatever both are.
 */
export function parseRules(file: unknown): ParsedRules {
  const problems: string[] = []
  const list = isPlainObject(file) ? file.rules : undefined
  if (!Array.isArray(list)) return { problems: ['the file must have a list of rules'] }
  if (list.length > MAX_RULES) problems.push(`rules must be at most ${MAX_RULES}`)
  const rules = list.map((rule, index) => parseRule(rule, `rules[${index}]`, problems))
  const names = rules.map(({ name }) => name)
  names.forEach((name, index) => {
    if (names.indexOf(name) < index || READY_RULE_NAMES.some((ready) => ready === name))
      problems.push(`rules[${index}].name ${name} is taken by another rule`)
  })
  return problems.length === 0 ? { rules } : { problems }
}

function parseRule(rule: unknown, path: string, problems: string[]): RedactionRule {
  if (!isPlainObject(rule)) {
    problems.push(`${path} must have the fields ${NAMES.join(', ')}`)
    return { name: '', keys: [], hide: undefined }
  }
  for (const field of Object.keys(rule))
    if (!NAMES.includes(field)) problems.push(`${path}.${field} is not known; expected ${NAMES.join(', ')}`)
  const { name, keys = [], values } = rule
  if (typeof name !== 'string' || !RULE_NAME.test(name))
    problems.push(`${path}.name must be a word of at most 40 of a-z, 0-9, _ and -, beginning with a letter`)
  const isKeys = Array.isArray(keys) && keys.every((key) => typeof key === 'string' && key !== '')
  if (!isKeys) problems.push(`${path}.keys must be a list of attribute names, in which * stands for anything`)
  if (values === undefined && isKeys && keys.length === 0) problems.push(`${path} must have keys or values`)
  return {
    name: String(name),
    keys: isKeys ? keys.map((key) => new NamePattern(String(key).toLowerCase())) : [],
    hide: values === undefined ? undefined : parsePattern(values, `${path}.values`, problems),
  }
}

function parsePattern(pattern: unknown, path: string, problems: string[]): RedactionRule['hide'] {
  if (typeof pattern !== 'string' || pattern === '') {
    problems.push(`${path} must be a regular expression`)
    return undefined
  }
  try {
    const expression = RE2JS.compile(pattern)
    if (expression.test('')) problems.push(`${path} finds the empty text, and so everything`)
    // Looking is several times as fast as replacing, and most texts have nothing to hide.
    return (text, mask) =>
      expression.test(text) ? expression.matcher(text).replaceAll(mask.replaceAll('$', '$$$$')) : text
  } catch (error) {
    problems.push(
      `${path} is no regular expression of RE2: ${error instanceof Error ? error.message : error}`,
    )
    return undefined
  }
}
