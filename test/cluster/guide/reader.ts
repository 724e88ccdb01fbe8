import { PATIENCE_MS } from "../ordeal/patience.js";
import { Pty } from "../pty.js";
import type { PrivateMachine } from "./private-machine.js";

/** Variables and directory stay as one command left them for the next one. */
const SHELL = `test ! -e /root/shell || . /root/shell
eval "$1"
status=$?
{ export -p; printf 'cd %q\\n' "$PWD"; } > /root/shell
exit $status`;

const CTRL_C = "\u0003";
const KILLED_BY_CTRL_C = -2;
/** Commands that end when they are told to: what they show before, and the key. */
const ENDLESS: readonly { readonly line: RegExp; readonly shows: RegExp; readonly press: string }[] = [
  { line: / top$/, shows: /Cluster 'stor1'/, press: "q" },
  { line: / get-event .*-f$/, shows: /MESSAGE/, press: CTRL_C },
  { line: / dashboard --listen /, shows: /http:/, press: CTRL_C },
  { line: /^npm start$/, shows: /Ctrl-C stops it/, press: CTRL_C },
  { line: /hwflush-check -l$/, shows: /listening on port/, press: CTRL_C },
  { line: /hwflush-check -s/, shows: /testing .* threads/, press: CTRL_C },
];
const PASSWORD = "four random words here";
const PROMPT = /(Cluster password|The same again): $/;
const LOOK_MS = 50;

export interface Typed {
  readonly status: number;
  readonly output: string;
}

/** Somebody at the terminal of a machine, who types what a page says, and the password when it is asked for. */
export class Reader {
  readonly machine: PrivateMachine;
  /** What was on the screen. */
  readonly transcript: string[] = [];

  constructor(machine: PrivateMachine) {
    this.machine = machine;
  }

  /** Resolves when the command has ended; one that has no end is left when it has shown what it is for, and `during`. */
  async type(line: string, during: () => Promise<void> = pause): Promise<Typed> {
    // A process that waited in between would die of Ctrl-C, before the program has said its last words.
    const argv = [...this.machine.enter, "--no-fork", "bash", "-c", SHELL, "bash", line];
    const pty = new Pty({ rows: 50, columns: 200 }, argv, { ...process.env, TERM: "xterm", HOME: "/root" });
    const endless = ENDLESS.find((each) => each.line.test(line));
    let status: number | undefined;
    void pty.ended().then((ended) => {
      status = ended.status;
    });
    let answered = 0;
    let isLeft = false;
    let end = Date.now() + PATIENCE_MS;
    while (status === undefined) {
      if (Date.now() > end) {
        pty.close();
        throw new Error(`${line} did not end:\n${pty.output}`);
      }
      if (PROMPT.test(pty.output.slice(answered))) {
        answered = pty.output.length;
        pty.send(`${PASSWORD}\n`);
      }
      if (!isLeft && endless?.shows.test(pty.output) === true) {
        isLeft = true;
        await during();
        end = Date.now() + PATIENCE_MS;
        pty.send(endless.press);
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    pty.close();
    const output = pty.output.replaceAll("\r\n", "\n");
    this.transcript.push(`${this.machine.address}# ${line}\n${output}`);
    // Who has pressed Ctrl-C asked for that.
    return { status: isLeft && [130, KILLED_BY_CTRL_C].includes(status) ? 0 : status, output };
  }
}

/** Somebody looks at it for a moment. */
async function pause(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 1000));
}
