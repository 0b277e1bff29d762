import { styleText } from 'node:util'

const STYLES = {
  bad: 'red',
  warn: 'yellow',
  faint: 'dim',
  strong: 'bold',
  good: 'green',
  bar: 'cyan',
  match: 'inverse',
  cyan: 'cyan',
  magenta: 'magenta',
  blue: 'blue',
  brightCyan: 'cyanBright',
  brightMagenta: 'magentaBright',
  brightBlue: 'blueBright',
  brightGreen: 'greenBright',
  brightYellow: 'yellowBright',
} as const
export type Style = keyof typeof STYLES

/** Puts a safe text into a style, or leaves it as it is. */
export type Paint = (text: string, style: Style | undefined) => string

export type ColorWhen = 'auto' | 'always' | 'never'

/** Colors for a terminal, unless NO_COLOR asks for none (no-color.org): not empty, whatever it says. Or as the command line says. */
export function paintFor(
  output: { readonly isTTY?: boolean | undefined },
  env: Readonly<Record<string, string | undefined>> = process.env,
  when: ColorWhen = 'auto',
): Paint {
  const isColored = when === 'always' || (when === 'auto' && output.isTTY && !env.NO_COLOR)
  if (!isColored) return (text) => text
  return (text, style) =>
    style === undefined ? text : styleText(STYLES[style], text, { validateStream: false })
}
