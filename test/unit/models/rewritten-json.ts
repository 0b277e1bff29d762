/** JSON as other programs write it: with white space, letters as escapes, numbers in other words. */
export function rewritten(text: string, how: number): string {
  switch (how % 4) {
    case 0:
      return text.replaceAll(/([:,{[])(?=["{[\dtfn-])/g, '$1 \n\t')
    case 1:
      return text.replaceAll(/(?<!\\)é|(?<=[a-z])e(?=[a-z])/g, '\\u0065')
    case 2:
      return text.replaceAll(/([:,[])(\d{1,6})(?=[,}\]])/g, '$1$2.0')
    default:
      return text
  }
}
