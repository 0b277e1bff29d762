/**
 * Masks passwords in URLs (`scheme://user:password@host`) and in query strings (`?password=…`), wherever
 * they occur in `text`, in time that grows with its length alone. Reads on to the last `@` of the word,
 * because a password may hold one: masking too much is harmless.
 */
export function maskSecrets(text: string): string {
  return text
    .replace(/[^\s"']+/g, maskUserInfo)
    .replace(/([?&][\w-]{0,40}(?:password|passwd|secret|token|api_?key)[\w-]{0,40}=)[^\s"'&#]+/gi, '$1***')
}

function maskUserInfo(word: string): string {
  const end = word.lastIndexOf('@')
  if (end === -1) return word
  const [start] = /^.*?:\/\/[^/?#:@]*:/.exec(word.slice(0, end)) ?? []
  return start === undefined ? word : `${start}***${word.slice(end)}`
}
