import type { Clock } from "../io/index.js";

/** Who has not answered by then is not waited for alone: most answers come within a hundredth of that. */
const HEDGE_MS = 1000;

/**
 * The first answer of two: `second` is asked only when `first` takes long, if there is anybody to ask, and `overtaken` is called
 * when it was the one that answered. Fails as `first` does, if both fail. What was asked in vain goes on.
 * (Dean, Barroso: The Tail at Scale, 2013.)
 */
export function firstAnswer<T>(
  clock: Clock,
  first: () => Promise<T>,
  second: () => Promise<T> | undefined,
  overtaken: () => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let failure: { readonly reason: unknown } | undefined;
    let isAnswered = false;
    let isSecondAsked = false;
    let hasSecondFailed = false;
    const timer = clock.after("client.hedge", HEDGE_MS, () => {
      const asked = second();
      if (asked === undefined) return;
      isSecondAsked = true;
      asked.then(
        (answer) => {
          if (isAnswered) return;
          isAnswered = true;
          overtaken();
          resolve(answer);
        },
        () => {
          hasSecondFailed = true;
          if (failure !== undefined) reject(failure.reason);
        },
      );
    });
    first().then(
      (answer) => {
        timer.cancel();
        isAnswered = true;
        resolve(answer);
      },
      (reason: unknown) => {
        timer.cancel();
        failure = { reason };
        if (!isSecondAsked || hasSecondFailed) reject(reason);
      },
    );
  });
}
