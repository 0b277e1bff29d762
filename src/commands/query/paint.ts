import { styleText } from 'node:util'

const STYLES = {
  bad: 'red',
  warn: 'yellow',
  faint: 'dim',
  strong: 'bold',
  good: 'green',
  bar: 'cyan',
} as const
export type Style = keyof typeof STYLES

/** Puts a safe text into a style, or leaves it as it is. */
export type Paint = (text: string, style: Style | undefined) => string

/** Colors for a terminal, unless NO_COLOR asks for none (no-color.org): not empty, whatever it says. */
export function paintFor(
  output: { readonly isTTY?: boolean | undefined },
  env: Readonly<Record<string, string | undefined>> = process.env,
): Paint {
  if (!output.isTTY || env.NO_COLOR) return (text) => text
  return (text, style) =>
    style === undefined ? text : styleText(STYLES[style], text, { validateStream: false })
}
