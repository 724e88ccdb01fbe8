import { describe, expect, test } from "vitest";
import { parseMegabytes, parseMode, parseMountOptions, parseRemount } from "../../../src/mount/index.js";

const ALWAYS = ["allow_other", "default_permissions"];

describe("options of -o", () => {
  test("flags of mount(8) are handed on, in their order, once", () => {
    expect(parseMountOptions(["ro,nosuid", "nodev,nosuid"]).kernel).toEqual([
      "ro",
      "nodev",
      "nosuid",
      ...ALWAYS,
    ]);
  });

  test("the last word counts", () => {
    expect(parseMountOptions(["ro,rw"]).isReadOnly).toBe(false);
    expect(parseMountOptions(["rw", "ro"]).isReadOnly).toBe(true);
    expect(parseMountOptions(["noatime,relatime"]).noatime).toBe(false);
    expect(parseMountOptions(["sync"]).isSynchronous).toBe(true);
    expect(parseMountOptions(["sync,async"]).isSynchronous).toBe(false);
    expect(parseMountOptions(["async,dirsync"]).isSynchronous).toBe(true);
    expect(parseMountOptions(["relatime,noatime,nodiratime"]).noatime).toBe(true);
    expect(parseMountOptions(["fsname=a,fsname=b"]).sourceName).toBe("b");
    expect(parseMountOptions([]).hasAcls).toBe(true);
    expect(parseMountOptions(["noacl,acl"]).hasAcls).toBe(true);
    expect(parseMountOptions(["acl", "noacl"])).toMatchObject({ hasAcls: false, kernel: ALWAYS });
  });

  test("values may hold commas after a backslash, and equals signs", () => {
    const options = parseMountOptions(["fsname=a\\,b=c,cache=/ssd/file,cachesize=500,metrics=9512"]);
    expect([options.sourceName, options.cacheFile, options.cacheMegabytes]).toEqual([
      "a,b=c",
      "/ssd/file",
      500,
    ]);
    expect(options.metrics).toBe("9512");
  });

  test("labels of SELinux are handed on as they are, with their quotes", () => {
    const label = 'context="system_u:object_r:svirt_t:s0:c1,c2"';
    expect(parseMountOptions([`${label},ro`]).kernel).toEqual([label, "ro", ...ALWAYS]);
  });

  test("a remount has flags only, whatever the mount was told before", () => {
    const told = "nosuid,user_id=0,allow_other,fsname=a,noacl";
    expect(parseRemount([`rw,${told}`])).toBeUndefined();
    expect(parseRemount([`rw,${told},remount,ro`])).toEqual(["rw", "nosuid", "ro"]);
    expect(() => parseRemount(["remount,sorcery"])).toThrow('the option "sorcery" is not known');
  });

  test("what only readers of fstab care about is no option of ours", () => {
    const texts = ["defaults,_netdev,nofail,noauto,x-systemd.automount,comment=mine,allow_other"];
    expect(parseMountOptions(texts).kernel).toEqual(ALWAYS);
  });

  test("whatever else is refused by its name", () => {
    for (const text of ["sorcery", "ro=1", "fd=3", "rootmode=40000", "user_id=0"])
      expect(() => parseMountOptions([text]), text).toThrow(`the option "${text}" is not known`);
    expect(() => parseMountOptions(["cache="])).toThrow("the option cache needs a value");
  });
});

test("a mode is one to four octal digits", () => {
  expect(["711", "0770", "01777", "7"].map(parseMode)).toEqual([0o711, 0o770, 0o1777, 7]);
  for (const text of ["", "8", "12345", "-1", "0x1", "u=rwx"])
    expect(() => parseMode(text), text).toThrow("octal");
});

test("a size of the cache is a number of megabytes", () => {
  expect(parseMegabytes("7769")).toBe(7769);
  expect(parseMegabytes(undefined)).toBeUndefined();
  for (const text of ["0", "-5", "1G", "1.5"]) expect(() => parseMegabytes(text), text).toThrow("megabytes");
});
