import { InvalidArgumentError } from 'commander'

/** For a flag that is a number above 0, whole or not. @throws commander's InvalidArgumentError when it is none, or past the most. */
export function positiveNumber(max: number): (text: string) => number {
  return (text) => {
    const number = Number(text)
    if (number > 0 && number <= max) return number
    throw new InvalidArgumentError(`Expected a number above 0, at most ${max}.`)
  }
}
