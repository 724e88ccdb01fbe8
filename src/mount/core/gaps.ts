/** A part of a file; to its end if `lengthBytes` is 0. */
export interface FilePart {
  readonly begin: number;
  readonly lengthBytes: number;
}

/** Pages are locked as a whole. */
const PAGE_BYTES = 4096;

/** What of a file lies in no page of these ranges, in order. The last part reaches to the end of the file. */
export function gapsBetween(ranges: Iterable<{ readonly begin: number; readonly end: number }>): FilePart[] {
  const pages = [...ranges]
    .filter(({ begin, end }) => end > begin)
    .map(({ begin, end }) => ({
      begin: Math.floor(begin / PAGE_BYTES) * PAGE_BYTES,
      end: Math.ceil(end / PAGE_BYTES) * PAGE_BYTES,
    }))
    .sort((a, b) => a.begin - b.begin);
  const gaps: FilePart[] = [];
  let at = 0;
  for (const { begin, end } of pages) {
    if (begin > at) gaps.push({ begin: at, lengthBytes: begin - at });
    at = Math.max(at, end);
  }
  gaps.push({ begin: at, lengthBytes: 0 });
  return gaps;
}
