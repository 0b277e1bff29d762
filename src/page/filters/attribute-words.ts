/** A word of the filter and its value: `['attr.http.route', '/chat']`. */
type Word = readonly [word: string, value: string]

const PREFIX = 'attr.'
/** A name, `=`, and a value: bare, or in quotes where it has blanks. */
const PAIR = /([^\s=]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))/g

/** Whether a word of the filter is about an attribute. */
export function isAttributeWord(word: string): boolean {
  return word.startsWith(PREFIX)
}

/** What a person writes, `http.route=/chat user.name="Ann B"`, as words of the filter. */
export function readAttributeWords(text: string): readonly Word[] {
  return [...text.matchAll(PAIR)].map(([, name, quoted, bare]) => [
    `${PREFIX}${name}`,
    quoted?.replaceAll(/\\(.)/g, '$1') ?? bare ?? '',
  ])
}

/** The other way around. */
export function writeAttributeWords(words: readonly Word[]): string {
  return words
    .filter(([word]) => isAttributeWord(word))
    .map(([word, value]) => `${word.slice(PREFIX.length)}=${/[\s"]/.test(value) ? quoted(value) : value}`)
    .join(' ')
}

function quoted(value: string): string {
  return `"${value.replaceAll(/["\\]/g, '\\$&')}"`
}
