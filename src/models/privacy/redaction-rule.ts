import type { NamePattern } from '../name-pattern.ts'

/** What is to be hidden, by the names of attributes, by what texts say, or both. */
export interface RedactionRule {
  /** Stands in what is put instead, and labels the metric. */
  readonly name: string
  /** Patterns of attribute names in lower case: the whole value is hidden. They are asked for the name as it is, and for it without `_` and `-`. */
  readonly keys: readonly NamePattern[]
  /** Hides what it finds in a text. In time linear in the text, whatever it says: texts come from outside. Undefined where only names count. */
  readonly hide: ((text: string, mask: string) => string) | undefined
}

/** The names of rules: they label a metric. */
export const RULE_NAME = /^[a-z][a-z0-9_-]{0,39}$/
