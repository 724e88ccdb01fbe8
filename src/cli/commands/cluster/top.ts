import type { Command } from "commander";
import { storageError } from "../../../base/index.js";
import { openAdmin, parseList } from "../../cluster-access.js";
import type { Invocation } from "../../invocation.js";
import { parseCount } from "../../output.js";
import { REFRESH_MS_MIN } from "../../screen/settings.js";
import { chooseScreen, defineScreenOptions, type ScreenFlags } from "../../screen-options.js";
import { TopSession } from "../../top-session.js";

interface TopFlags extends ScreenFlags {
  readonly refreshTime?: number;
}

/** Nobody who leads answers for so long: that is shown, and asked again. */
const ANSWER_MS = 3000;
const EVENT_COUNT = 200;

/** `top`: the state of the cluster, again and again, until `q`. */
export function defineTop(program: Command, invocation: Invocation): void {
  const { terminal, host } = invocation;
  defineScreenOptions(
    program.command("top").description("watch the state of the cluster; h shows the keys, q ends it"),
  )
    .option("-T, --refresh-time <ms>", "how often to look (default: 2000)", parseCount)
    .action(async (flags: TopFlags) => {
      const choice = await chooseScreen(invocation, flags);
      if (!terminal.hasScreen) {
        const advice = 'use "stat", or "stat --json" in programs; with ssh, give it -t';
        throw storageError("invalid", `top needs a terminal; ${advice}`);
      }
      const connection = await openAdmin(host, invocation.clusterName, {
        bootstrap: parseList(flags.bootstrap),
      });
      const { admin } = connection;
      const screen = terminal.openScreen();
      const session = new TopSession({
        clock: host.world.clock,
        screen,
        choice,
        refreshMs: Math.max(REFRESH_MS_MIN, flags.refreshTime ?? choice.settings.refreshMs),
        source: {
          status: (signal) => admin.status({ timeoutMs: ANSWER_MS, signal }),
          events: async (after, signal) => {
            const page = { after, limit: EVENT_COUNT };
            return (await admin.getEvents(page, { timeoutMs: ANSWER_MS, signal })).events;
          },
        },
      });
      terminal.onStop(() => session.quit());
      try {
        await session.run();
      } finally {
        screen.close();
        await connection.close();
      }
    });
}
