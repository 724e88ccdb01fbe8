import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, open, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { TEST_MS } from "../cluster/ordeal/patience.js";
import { tellsOneStory } from "../cluster/ordeal/story.js";
import { MountLab, mountObstacle, pause } from "./harness.js";
import { attempt, lacks, run, shell, timed } from "./programs.js";

/** The programs that people use, on a mount, with the checks those programs have of their own. */

vi.setConfig({ testTimeout: TEST_MS, hookTimeout: TEST_MS });

const CHECKOUT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
/** The long variant (`npm run test:mount:long`) has the sizes of the promise; the short one what fits into `npm test`. */
const IS_LONG = process.env["PSTORAGE_TEST_LONG"] !== undefined;
const FILE_COUNT = IS_LONG ? 100_000 : 500;
const CHANGED = IS_LONG ? "raft/index.ts" : "index.ts";
/** A tree of sources: all of them, or a room or two. */
const SOURCES = IS_LONG ? "src" : "src/raft";

describe.skipIf(mountObstacle() !== undefined)("programs on a mount", () => {
  let lab: MountLab;
  let root: string;
  let local: string;

  beforeAll(async () => {
    lab = await MountLab.start({ mdsCount: 1, csCount: 3 });
    root = lab.path();
    local = await mkdtemp(join(tmpdir(), "pstorage-real-"));
  });

  afterAll(async () => {
    await lab?.close();
    if (local !== undefined) await rm(local, { recursive: true, force: true });
  });

  test.skipIf(lacks("git"))("git: clone of this repository, commits, gc, fsck, worktree", async () => {
    const at = join(root, "git");
    // What is being tested may not be a checkout itself: then a repository of its sources is made.
    const source = join(local, "origin");
    await shell(`
      mkdir -p ${source}; cd ${source}; git init -q .
      mkdir src; cp -r ${CHECKOUT}/${SOURCES} src/; cp -r ${CHECKOUT}/docs ${CHECKOUT}/package.json .
      git add . ; git -c user.name=t -c user.email=t@t commit -qm first`);
    await timed("git clone, commit, gc, fsck", () =>
      shell(`
        git clone -q file://${source} ${at}; cd ${at}
        git config user.name t; git config user.email t@t
        git checkout -qb branch; git mv docs papers; git commit -qm moved
        rm -rf src/*; git commit -qam removed; git checkout -q -
        test -d docs; test -n "$(ls src)"
        git gc -q; git fsck --full --strict
        test -z "$(git status --porcelain)"
        git worktree add -q ../git-tree branch; test -d ../git-tree/papers; test ! -e ../git-tree/src`),
    );
    expect(await run(["git", "-C", at, "rev-parse", "HEAD"])).toBe(
      await run(["git", "-C", source, "rev-parse", "HEAD"]),
    );
  });

  test.skipIf(lacks("tar"))(
    "tar: a tree packed and unpacked is the same, with modes, owners, times and links",
    async () => {
      const at = join(root, "tar");
      await shell(`
      mkdir -p ${at}/in ${at}/out; cp -a ${CHECKOUT}/src/base ${at}/in/
      cd ${at}/in; ln -s base/prng.ts link; ln base/prng.ts hard; mkfifo fifo
      touch -d '1999-12-31 23:59:59.123456789' old; chmod 4711 old; chown 1234:5678 old; truncate -s 10M sparse`);
      await timed("tar, untar, compare", () =>
        shell(`
        cd ${at}/in; tar --sparse --xattrs -cf ../all.tar .; tar --xattrs -xpf ../all.tar -C ../out
        tar -df ../all.tar -C ../out; diff -r --no-dereference -x fifo . ../out`),
      );
      const [before, after] = [
        await stat(join(at, "in/old")),
        await stat(join(at, "out/old"), { bigint: false }),
      ];
      expect([after.mode, after.uid, after.gid, after.mtimeMs]).toEqual([
        before.mode,
        1234,
        5678,
        before.mtimeMs,
      ]);
      expect((await stat(join(at, "out/hard"))).nlink).toBe(2);
    },
  );

  test.skipIf(lacks("rsync"))(
    "rsync: a second run finds nothing to do, a changed file is found",
    async () => {
      const at = join(root, "rsync");
      await mkdir(at);
      const sync = (): Promise<string> => run(["rsync", "-aHAXi", `${CHECKOUT}/${SOURCES}/`, `${at}/`]);
      await timed("rsync", sync);
      expect(await sync()).toBe("");
      expect(await run(["rsync", "-aci", `${CHECKOUT}/${SOURCES}/`, `${at}/`])).toBe("");
      await writeFile(join(at, CHANGED), "changed");
      expect(await sync()).toContain(CHANGED);
    },
  );

  test.skipIf(lacks("npm"))("npm install of a package works, and the package too", async () => {
    const at = join(root, "npm");
    const made = join(local, "package");
    await cp(join(CHECKOUT, "node_modules/commander"), made, { recursive: true });
    const packed = (await run(["npm", "pack", "--silent"], { cwd: made })).trim();
    await mkdir(at);
    await writeFile(join(at, "package.json"), '{"name":"x","version":"1.0.0","type":"module"}');
    const install = ["npm", "install", "--no-audit", "--no-fund", "--offline", join(made, packed)];
    await timed("npm install", () => run(install, { cwd: at }));
    const script = 'import { Command } from "commander"; console.log(new Command("x").name())';
    expect(await run(["node", "--input-type=module", "-e", script], { cwd: at })).toBe("x\n");
  });

  test.skipIf(lacks("gcc"))(
    "a C program is compiled, linked and run, also by make's rules of times",
    async () => {
      const at = join(root, "c");
      await mkdir(at);
      await writeFile(
        join(at, "a.c"),
        'int two(void);\n#include <stdio.h>\nint main() { printf("%d\\n", two() * 21); }\n',
      );
      await writeFile(join(at, "b.c"), "int two(void) { return 2; }\n");
      await timed("gcc", () =>
        shell("gcc -c a.c; gcc -c b.c; ar rcs libb.a b.o; gcc -o a a.o -L. -lb", { cwd: at }),
      );
      expect(await run([join(at, "a")])).toBe("42\n");
      const newer = "test a -nt a.c && test a.o -nt a.c && touch a.c && test a.c -nt a";
      await pause(20);
      await shell(newer, { cwd: at });
    },
  );

  test.skipIf(lacks("losetup", "mkfs.ext4", "fsck.ext4"))(
    "a loop device: mkfs, mount, use, fsck",
    async () => {
      const [image, target] = [join(root, "disk.img"), join(local, "disk")];
      await mkdir(target);
      await run(["truncate", "-s", "300M", image]);
      const device = (await run(["losetup", "-f", "--show", image])).trim();
      try {
        await timed("mkfs, fill, fsck", () =>
          shell(`
          mkfs.ext4 -q ${device}; mount ${device} ${target}
          cp -a ${CHECKOUT}/src ${target}/; dd if=/dev/urandom of=${target}/big bs=1M count=30 conv=fsync 2>&1
          sha256sum ${target}/big > ${local}/sum; fstrim ${target}; umount ${target}
          fsck.ext4 -fn ${device}; mount ${device} ${target}
          sha256sum -c ${local}/sum; diff -r ${CHECKOUT}/src ${target}/src; umount ${target}`),
        );
      } finally {
        await attempt(["umount", target]);
        await run(["losetup", "-d", device]);
      }
    },
  );

  test(`${FILE_COUNT} files in one directory are made, listed, looked at and removed`, async () => {
    const at = join(root, "many");
    const script = `
import os, sys
at, count = sys.argv[1], int(sys.argv[2])
os.mkdir(at)
for i in range(count):
    with open(f"{at}/{i:07d}", "w") as f: f.write(str(i))
names = sorted(os.listdir(at))
assert names == [f"{i:07d}" for i in range(count)], len(names)
assert sum(entry.stat().st_size for entry in os.scandir(at)) == sum(len(str(i)) for i in range(count))
for i in range(0, count, 97): assert open(f"{at}/{i:07d}").read() == str(i)
for name in names[::2]: os.unlink(f"{at}/{name}")
assert sorted(os.listdir(at)) == names[1::2]
`;
    await timed(`${FILE_COUNT} files`, () =>
      run(["python3", "-c", script, at, String(FILE_COUNT)], { timeoutMs: 3_000_000 }),
    );
    await run(["rm", "-rf", at]);
  }, 3_600_000);

  test("a sparse file of 50 GiB holds what was written at both ends and in between", async () => {
    const path = join(root, "sparse");
    const size = 50 * 2 ** 30;
    await run(["truncate", "-s", String(size), path]);
    const file = await open(path, "r+");
    const places = [0, 12_345_678_901, size - 10];
    for (const [index, place] of places.entries()) await file.write(`place ${index}...`, place);
    await file.sync();
    for (const [index, place] of places.entries()) {
      const { buffer } = await file.read(Buffer.alloc(10), 0, 10, place);
      expect(buffer.toString()).toBe(`place ${index}...`);
    }
    const { buffer } = await file.read(Buffer.alloc(1000), 0, 1000, 30 * 2 ** 30);
    expect(buffer.every((byte) => byte === 0)).toBe(true);
    await file.close();
    expect((await stat(path)).size).toBe(size);
    await rm(path);
  });

  test.skipIf(lacks("fio"))("fio reads back what it wrote: buffered, direct, mapped, synced", async () => {
    await mkdir(join(root, "fio"));
    const size = IS_LONG ? "64m" : "6m";
    const engines = {
      psync: "--bsrange=1k-64k",
      mmap: "--bsrange=4k-64k --blockalign=4k",
      libaio: "--bsrange=4k-64k --blockalign=4k --direct=1 --iodepth=8",
    };
    for (const [engine, sizes] of Object.entries(engines)) {
      const options = `--ioengine=${engine} ${sizes} --rw=randwrite --size=${size} --nrfiles=2 --fsync=50`;
      await timed(`fio ${engine}`, () =>
        shell(
          `fio --name=v --directory=${root}/fio ${options} --verify=crc32c --do_verify=1 --verify_fatal=1 --verify_state_save=0 --randseed=7 --output-format=terse --minimal > ${local}/fio.out 2>&1 || { cat ${local}/fio.out; exit 1; }; rm -f ${root}/fio/*`,
        ),
      );
    }
  });

  test("programs that write through mappings leave what they wrote", async () => {
    const script = `
import mmap, os, sys, hashlib
path, size = sys.argv[1], 8_000_000
with open(path, "wb+") as f:
    f.truncate(size)
    m = mmap.mmap(f.fileno(), size)
    pids = []
    for part in range(4):
        pid = os.fork()
        if pid == 0:
            for at in range(part * 4096, size - 4096, 4 * 4096): m[at:at + 4096] = bytes([(at // 4096) % 251]) * 4096
            os._exit(0)
        pids.append(pid)
    assert all(os.waitpid(pid, 0)[1] == 0 for pid in pids)
with open(path, "rb") as f:
    for at in range(0, size - 4096, 4096):
        assert f.read(4096) == bytes([(at // 4096) % 251]) * 4096, at
`;
    await timed("mapped writers", () => run(["python3", "-c", script, join(root, "mapped")]));
  });
});

describe.skipIf(mountObstacle() !== undefined)("databases on a mount", () => {
  tellsOneStory();
  let lab: MountLab;
  let root: string;

  beforeAll(async () => {
    lab = await MountLab.start({ mdsCount: 1, csCount: 4 });
    root = lab.path();
  });

  afterAll(async () => {
    await lab?.close();
  });

  test.skipIf(lacks("sqlite3"))("sqlite3 is whole after chunk servers were killed under it", async () => {
    const database = join(root, "test.db");
    const rows = IS_LONG ? 3000 : 200;
    const script = `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=60)
db.execute("create table t (id integer primary key, text text)")
db.execute("create index i on t (text)")
for i in range(${rows}):
    with db: db.execute("insert into t values (?, ?)", (i, "x" * (i % 700)))
`;
    const writing = timed("sqlite3 inserts with two kills", () => run(["python3", "-c", script, database]));
    writing.catch(() => undefined);
    for (const host of [1, 2]) {
      await pause(1500);
      await lab.cluster.lab.kill("cs", host);
      await pause(1500);
      await lab.cluster.lab.startOne("cs", host);
    }
    await writing;
    expect(await run(["sqlite3", database, "pragma integrity_check; select count(*) from t;"])).toBe(
      `ok\n${rows}\n`,
    );
    await lab.cluster.healthy();
  });

  const postgres = postgresPrograms();
  test.skipIf(postgres === undefined)(
    "PostgreSQL: initdb, pgbench, kill -9 of it and of the mount, recovery",
    async () => {
      if (postgres === undefined) return;
      const data = join(root, "pg");
      const port = 20_000 + (process.pid % 10_000);
      const as = { uid: postgres.uid, gid: postgres.gid, cwd: "/tmp" };
      const sockets = await mkdtemp(join(tmpdir(), "pg-"));
      await shell(`mkdir ${data}; chown ${as.uid}:${as.gid} ${data} ${sockets}`);
      const bin = (name: string): string => join(postgres.path, name);
      const options = `-k ${sockets} -p ${port} -c listen_addresses= -c fsync=on`;
      const start = (): Promise<string> =>
        run(
          [bin("pg_ctl"), "-D", data, "-w", "-t", "120", "-l", join(sockets, "log"), "-o", options, "start"],
          as,
        );
      const sql = (text: string): Promise<string> =>
        run([bin("psql"), "-h", sockets, "-p", String(port), "-d", "postgres", "-Atc", text], as);
      const bench = (...args: readonly string[]): readonly string[] => [
        bin("pgbench"),
        ...["-h", sockets, "-p", String(port), ...args, "postgres"],
      ];
      try {
        await timed("initdb", () =>
          run([bin("initdb"), "-D", data, "-A", "trust", ...(IS_LONG ? [] : ["--no-sync"])], as),
        );
        await start();
        await timed("pgbench -i", () => run(bench("-i", "-q", "-s", "1"), as));
        await timed("pgbench", () => run(bench("-c", "4", "-T", IS_LONG ? "30" : "4"), as));
        await sql("create table kept as select generate_series(1, 1000) as n");
        const half = run(bench("-c", "2", "-T", "20"), as).catch(() => "killed");
        await pause(1500);
        await sql("insert into kept values (1001)");
        await shell(`kill -9 $(head -1 ${data}/postmaster.pid)`);
        await lab.mount().kill();
        await half;
        await pause(500);
        await lab.mount().mount();
        await shell(`rm -f ${data}/postmaster.pid`);
        await timed("recovery", start);
        expect(await sql("select count(*) from kept")).toBe("1001\n");
        // What every transaction of pgbench keeps true.
        const sum = (column: string, table: string): string =>
          `(select sum(${column}) from pgbench_${table})`;
        const [a, b, c] = [
          sum("abalance", "accounts"),
          sum("bbalance", "branches"),
          sum("tbalance", "tellers"),
        ];
        const sums = `select ${a} = ${b} and ${b} = ${c} and ${a} <> 0`;
        expect(await sql(sums)).toBe("t\n");
        await run([bin("pg_ctl"), "-D", data, "-w", "-m", "fast", "stop"], as);
      } finally {
        await attempt([bin("pg_ctl"), "-D", data, "-w", "-t", "10", "-m", "immediate", "stop"], {
          ...as,
          timeoutMs: 20_000,
        });
        await rm(sockets, { recursive: true, force: true });
      }
    },
  );
});

/** Where PostgreSQL is, and whom it runs as. */
function postgresPrograms():
  | { readonly path: string; readonly uid: number; readonly gid: number }
  | undefined {
  const path = [17, 16, 15, 14, 13]
    .map((version) => `/usr/lib/postgresql/${version}/bin`)
    .find((each) => existsSync(join(each, "initdb")));
  if (path === undefined) {
    lacks("initdb");
    return undefined;
  }
  // It refuses root; nobody's number is as good as any.
  return { path, uid: 65_534, gid: 65_534 };
}
