import { expect, test } from "vitest";
import { readPassword } from "../../../src/cli/password.js";
import type { Terminal } from "../../../src/cli/terminal.js";
import { silentTerminal } from "./fake-terminal.js";

function terminal(input: readonly string[], secrets: readonly string[] = []): Terminal {
  return silentTerminal({ input, secrets });
}

test("of standard input one newline at the end does not count", async () => {
  const fromInput = { fromInput: true, isNew: false };
  expect(await readPassword(terminal(["secret\n"]), fromInput)).toBe("secret");
  expect(await readPassword(terminal(["se", "cret"]), fromInput)).toBe("secret");
  expect(await readPassword(terminal(["secret\n\n"]), fromInput)).toBe("secret\n");
  expect(await readPassword(terminal([" two words \r\n"]), fromInput)).toBe(" two words ");
});

test("an empty password, and one without end, are refused", async () => {
  const fromInput = { fromInput: true, isNew: false };
  await expect(readPassword(terminal(["\n"]), fromInput)).rejects.toThrow("empty");
  await expect(readPassword(terminal(["x".repeat(5000)]), fromInput)).rejects.toThrow("too long");
});

test("a new password is asked for twice", async () => {
  const isNew = { fromInput: false, isNew: true };
  expect(await readPassword(terminal([], ["one", "one"]), isNew)).toBe("one");
  await expect(readPassword(terminal([], ["one", "two"]), isNew)).rejects.toThrow("not the same");
});
