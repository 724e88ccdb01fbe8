/** What an examination of a host or cluster found. */
export interface Finding {
  /** `ok`: nothing to do; `warn`: works, and will hurt one day; `fail`: something does not work, or data are in danger. */
  readonly severity: "ok" | "warn" | "fail";
  /** What was looked at: `clock`, `certificate`, `MDS#2`. */
  readonly subject: string;
  readonly text: string;
  /** What mends it: it begins with a command. What is in order has none. */
  readonly remedy?: string | undefined;
}

export const ok = (subject: string, text: string): Finding => ({ severity: "ok", subject, text });
export const warn = (subject: string, text: string, remedy: string): Finding => ({
  severity: "warn",
  subject,
  text,
  remedy,
});
export const fail = (subject: string, text: string, remedy: string): Finding => ({
  severity: "fail",
  subject,
  text,
  remedy,
});
