/** What was done in a case, line by line, and what was wrong with it. */
export interface Line {
  readonly call: string;
  readonly outcome: string;
}

/** The record of one run of a case in one place. Numbers of processes and addresses do not belong in it. */
export class Transcript {
  readonly lines: Line[] = [];
  /** What the case says must be otherwise. */
  readonly offences: (Line & { readonly wanted: string })[] = [];

  /** `wanted`: a value, an error, `success`, or undefined where anything may come out. */
  note(call: string, outcome: string | number, wanted?: string | number): void {
    const line = { call, outcome: String(outcome) };
    this.lines.push(line);
    if (wanted === undefined) return;
    const isRight = wanted === "success" ? typeof outcome === "number" && outcome !== -1 : outcome === wanted;
    if (!isRight) this.offences.push({ ...line, wanted: String(wanted) });
  }

  /** States a truth that is not a call's outcome. */
  expect(what: string, found: string | number | boolean, wanted: string | number | boolean): void {
    this.note(what, String(found), String(wanted));
  }
}

/** Where the second differs from the first; when the calls differ, only the first such line. */
export function differencesOf(
  reference: readonly Line[],
  lines: readonly Line[],
): (Line & { wanted: string })[] {
  const found: (Line & { wanted: string })[] = [];
  for (let index = 0; index < Math.max(reference.length, lines.length); index++) {
    const wanted = reference[index];
    const line = lines[index];
    if (wanted === undefined || line === undefined || wanted.call !== line.call) {
      found.push({
        call: line?.call ?? "(end)",
        outcome: "",
        wanted: `next call: ${wanted?.call ?? "(end)"}`,
      });
      break;
    }
    if (wanted.outcome !== line.outcome) found.push({ ...line, wanted: wanted.outcome });
  }
  return found;
}
