import { afterEach, beforeEach } from "vitest";

/** The tests of this file tell one story: after one that failed the others are skipped. */
export function tellsOneStory(): void {
  let hasFailed = false;
  beforeEach(({ skip }) => skip(hasFailed, "an earlier test of the story failed"));
  afterEach(({ task }) => {
    hasFailed ||= task.result?.state === "fail";
  });
}
