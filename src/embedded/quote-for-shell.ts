/** One word for a POSIX shell: as it is where that is safe, else in single quotes. */
export function quoteForShell(text: string): string {
  return /^[\w./@%+:=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
