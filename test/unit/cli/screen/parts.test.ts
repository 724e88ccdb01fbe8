import { describe, expect, test } from "vitest";
import { hostsIn } from "../../../../src/cli/host-names.js";
import { parseSettings, SCREEN_DEFAULTS } from "../../../../src/cli/screen/settings.js";
import { parseSortOrder, sorted } from "../../../../src/cli/screen/sorting.js";
import { allColumns, csColumns } from "../../../../src/cli/screen/tables.js";
import { fairShares } from "../../../../src/cli/screen/top-lines.js";
import { keysOf, pressed, type TopState } from "../../../../src/cli/screen/top-state.js";
import { UNSORTED } from "../../../../src/cli/screen/view.js";
import { toXml } from "../../../../src/cli/screen/xml.js";
import { sampleCs } from "./sample.js";

const COLUMNS = allColumns(csColumns((address) => address));
const START: TopState = {
  shown: "all",
  columnSet: 0,
  isVerbose: false,
  isHelp: false,
  orders: UNSORTED,
  scrolled: 0,
};

function typed(keys: string, state = START): TopState {
  return keysOf(keys).reduce((current, key) => pressed(current, key).state, state);
}

describe("a key of top", () => {
  test.each([
    ["m", "mds"],
    ["c", "cs"],
    ["t", "clients"],
    ["e", "events"],
    ["a", "all"],
  ] as const)("%s shows %s", (key, shown) => {
    expect(typed(key).shown).toBe(shown);
    expect(typed(`h${key}`).isHelp).toBe(false);
  });

  test("i goes on to the next columns, V says more, h helps and helps no more", () => {
    expect(typed("ii").columnSet).toBe(2);
    expect(typed("V").isVerbose).toBe(true);
    expect(typed("VV").isVerbose).toBe(false);
    expect([typed("h").isHelp, typed("hh").isHelp]).toEqual([true, false]);
  });

  test("q, Ctrl-C and the end of input end it; g and space look again", () => {
    for (const key of ["q", "\u0003", "\u0004"]) expect(pressed(START, key).effect).toBe("quit");
    for (const key of ["g", " "]) expect(pressed(START, key).effect).toBe("refresh");
    for (const key of ["x", "\u001b[Z", "V"]) expect(pressed(START, key).effect).toBe("none");
  });

  test("o sorts by one column after the other, s turns the order round", () => {
    expect(typed("o").orders.cs).toEqual([{ key: "status", isInverted: false }]);
    expect(typed("oos").orders.cs).toEqual([{ key: "space", isInverted: true }]);
    expect(typed("s").orders.cs).toEqual([{ key: "csid", isInverted: true }]);
    expect(typed("mo").orders).toMatchObject({ mds: [{ key: "status" }], cs: [] });
    expect(typed("eos").orders).toEqual(UNSORTED);
    expect(typed("o".repeat(COLUMNS.length)).orders.cs[0]?.key).toBe("csid");
  });

  test("arrows scroll, several keys that come at once are several", () => {
    expect(keysOf("c\u001b[Bq")).toEqual(["c", "\u001b[B", "q"]);
    expect(typed("c\u001b[B\u001b[B\u001b[A").scrolled).toBe(1);
    expect(typed("c\u001b[A").scrolled).toBe(0);
    expect(typed("C").shown).toBe("cs");
    expect(typed("c\u001b[6~m").scrolled).toBe(0);
  });
});

describe("a sort order", () => {
  const servers = [
    sampleCs({ csId: 1, freeBytes: 5, status: "active" }),
    sampleCs({ csId: 2, freeBytes: 100, status: "offline" }),
    sampleCs({ csId: 3, freeBytes: 20, status: "active" }),
  ];
  const ids = (text: string): number[] =>
    sorted(servers, COLUMNS, parseSortOrder(text, COLUMNS)).map(({ csId }) => csId);

  test("orders numbers by size, texts by letters, and inverts with inv", () => {
    expect(ids("free")).toEqual([1, 3, 2]);
    expect(ids("free=inv")).toEqual([2, 3, 1]);
    expect(ids("status,id=inv")).toEqual([3, 1, 2]);
    expect(ids("")).toEqual([1, 2, 3]);
  });

  test("names the keys there are when it is wrong", () => {
    expect(() => parseSortOrder("nonsense", COLUMNS)).toThrow(/is no sort key; .*csid, status/);
    expect(() => parseSortOrder("free=up", COLUMNS)).toThrow(/KEY=inv/);
  });
});

describe("pstorage.conf", () => {
  test("sets what it names, skips comments and what it does not know", () => {
    const text =
      "# screens\nnumeric.addrs = yes\nrefresh.time=500\nfreespace.threshold.mb 10\nfreespace.threshold.percent=5\n" +
      "cs.sort = free=inv,id\nclnt.sort=read\nother.thing=7\n";
    expect(parseSettings(text, "p.conf")).toEqual({
      isNumeric: true,
      refreshMs: 500,
      thresholds: { bytes: 10 * 1024 * 1024, percent: 5 },
      mdsSort: "",
      csSort: "free=inv,id",
      clientSort: "read",
    });
    expect(parseSettings("", "p.conf")).toEqual(SCREEN_DEFAULTS);
  });

  test("is refused by name when a number is none", () => {
    expect(() => parseSettings("refresh.time=soon", "/x/pstorage.conf")).toThrow(
      '/x/pstorage.conf: refresh.time must be a number, not "soon"',
    );
  });
});

test("who wants little gets it, and the others share the rest", () => {
  expect(fairShares([3, 100, 1, 100], 24)).toEqual([3, 10, 1, 10]);
  expect(fairShares([1, 2], 100)).toEqual([1, 2]);
  expect(fairShares([5, 5], 0)).toEqual([0, 0]);
  expect(fairShares([5, 7], Number.POSITIVE_INFINITY)).toEqual([5, 7]);
});

test("XML has an element for every field, an item for each of a list, and nothing that is no XML", () => {
  expect(toXml("cluster", { name: "a<b&c\u0007", list: [{ id: 1 }, { id: 2 }], none: [] })).toBe(
    '<?xml version="1.0" encoding="UTF-8"?>\n<cluster>\n  <name>a&lt;b&amp;c</name>\n  <list>\n    <item>\n' +
      "      <id>1</id>\n    </item>\n    <item>\n      <id>2</id>\n    </item>\n  </list>\n  <none/>\n</cluster>",
  );
});

test("a hosts file gives the first name of each address", () => {
  const names = hostsIn("127.0.0.1 localhost lo\n# no\n10.0.0.1\tweb1.example web1 # x\n10.0.0.1 other\n");
  expect(names).toEqual(
    new Map([
      ["127.0.0.1", "localhost"],
      ["10.0.0.1", "web1.example"],
    ]),
  );
});
