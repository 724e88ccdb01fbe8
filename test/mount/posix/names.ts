import { AT, NAME_MAX, O, PATH_MAX } from "../linux.js";
import { posix } from "../stage.js";

export function nameCases(): void {
  posix("a name has 255 bytes at most, whatever the bytes", async (s) => {
    const root = await s.user("root");
    const longest = "n".repeat(NAME_MAX);
    await root.file(longest, 0o644, "long");
    s.expect("content", await root.content(longest), "long");
    await root.ok("rename", longest, "m".repeat(NAME_MAX));
    await root.no("ENAMETOOLONG", "open", `${longest}n`, O.CREAT | O.WRONLY, 0o644);
    const wide = "\u20ac".repeat(85);
    await root.mkdir(wide);
    await root.no("ENAMETOOLONG", "mkdir", `${wide}x`, 0o755);
    await root.list(".");
  });

  posix("names of any bytes but slash and zero come back as they were given", async (s) => {
    const root = await s.user("root");
    await root.mkdir("d");
    for (let byte = 1; byte < 256; byte++) {
      if (byte === 0x2f || byte === 0x2e) continue;
      const name = new Uint8Array(Buffer.concat([Buffer.from("d/"), Buffer.from([byte, 0x78, byte])]));
      await root.file(name);
    }
    const found = await root.list("d");
    s.expect("count", found.length, 253);
    for (let byte = 1; byte < 256; byte++) {
      if (byte === 0x2f || byte === 0x2e) continue;
      await root.ok(
        "unlink",
        new Uint8Array(Buffer.concat([Buffer.from("d/"), Buffer.from([byte, 0x78, byte])])),
      );
    }
    s.expect("left", (await root.list("d")).length, 0);
  });

  posix(
    "names that look alike are different: case, accents in two forms, trailing dots and spaces",
    async (s) => {
      const root = await s.user("root");
      const names = [
        "a",
        "A",
        "\u00e9",
        "e\u0301",
        "x.",
        "x",
        "x ",
        " x",
        "...",
        "..x",
        "-rf",
        "*",
        "a\nb",
        "\\",
        "a\\b",
      ];
      for (const name of names) await root.file(name, 0o644, name);
      for (const name of names)
        s.expect(name, (await root.content(name)) === Buffer.from(name).toString("latin1"));
      s.expect("count", (await root.list(".")).length, names.length);
    },
  );

  posix("a path of 4095 bytes works and one of 4096 does not; trees may be deeper", async (s) => {
    const root = await s.user("root");
    const part = "p".repeat(200);
    for (let depth = 0; depth < 25; depth++) {
      await root.mkdir(part);
      await root.ok("chdir", part);
    }
    await root.file("deep", 0o644, "below");
    s.expect("content", await root.content("deep"), "below");
    await root.quietly("chdir", s.path);
    const filler = (length: number): string =>
      `${"./".repeat(Math.floor((length - 2) / 2))}${length % 2 ? "/" : ""}${part.slice(0, 2)}`;
    await root.no("ENOENT", "access", filler(PATH_MAX - 1), 0);
    await root.no("ENAMETOOLONG", "access", filler(PATH_MAX), 0);
    await root.no("ENAMETOOLONG", "mkdir", "x/".repeat(3000), 0o755);
    await root.no("ENAMETOOLONG", "rename", part, "x/".repeat(3000));
  });

  posix("dot and dot-dot lead where they should, also at the case's root", async (s) => {
    const root = await s.user("root");
    await root.mkdir("d");
    await root.mkdir("d/e");
    const { ino } = await root.stat(".");
    for (const path of ["d/..", "d/e/../..", "./d/./..", "d/e/../../."]) {
      s.expect(path, (await root.stat(path)).ino === ino);
    }
    s.expect("inside", (await root.stat("d/e/..")).ino === (await root.stat("d")).ino);
    await root.file("f");
    await root.no("ENOTDIR", "access", "f/..", 0);
    await root.no("ENOTDIR", "access", "f/.", 0);
    await root.no("ENOENT", "access", "x/..", 0);
  });
}

/** Calls that take a path, each with what makes it valid otherwise. */
const CALLS: readonly (readonly [
  name: string,
  args: (path: string | number) => readonly (string | number | null | Uint8Array | { out: number })[],
])[] = [
  ["open", (path) => [path, O.RDONLY, 0]],
  ["open", (path) => [path, O.CREAT | O.WRONLY, 0o644]],
  ["mkdir", (path) => [path, 0o755]],
  ["rmdir", (path) => [path]],
  ["unlink", (path) => [path]],
  ["mknod", (path) => [path, 0o10644, 0]],
  ["symlink", (path) => ["target", path]],
  ["link", (path) => ["f", path]],
  ["link", (path) => [path, "new"]],
  ["rename", (path) => ["f", path]],
  ["rename", (path) => [path, "new"]],
  ["readlink", (path) => [path, { out: 10 }, 10]],
  ["chmod", (path) => [path, 0o644]],
  ["chown", (path) => [path, 0, 0]],
  ["lchown", (path) => [path, 0, 0]],
  ["truncate", (path) => [path, 0]],
  ["utimensat", (path) => [AT.FDCWD, path, null, 0]],
  ["access", (path) => [path, 4]],
  ["chdir", (path) => [path]],
  ["statfs", (path) => [path, { out: 200 }]],
  ["setxattr", (path) => [path, "user.x", "1", 1, 0]],
  ["getxattr", (path) => [path, "user.x", { out: 10 }, 10]],
  ["listxattr", (path) => [path, { out: 10 }, 10]],
  ["removexattr", (path) => [path, "user.x"]],
];

/** Errors that every path may give, and the path that gives them. */
const TROUBLES = {
  ENOTDIR: "f/under",
  ENOENT: "missing/under",
  ENAMETOOLONG: "n".repeat(NAME_MAX + 1),
  ELOOP: "loop/under",
  EACCES: "closed/under",
  EFAULT: 1,
} as const;

export function pathCases(): void {
  for (const [errno, path] of Object.entries(TROUBLES)) {
    posix(`${errno} from every call that takes a path`, async (s) => {
      const { root, ann } = await s.users("root", "ann");
      await root.file("f", 0o666);
      await root.ok("symlink", "loop", "loop");
      await root.mkdir("closed", 0o700);
      await root.file("closed/under", 0o666);
      await root.mkdir("closed/directory");
      const user = errno === "EACCES" ? ann : root;
      for (const [name, args] of CALLS) await user.no(errno, name, ...args(path));
      s.expect("nothing changed", (await root.list(".")).join(" "), "closed f loop");
    });
  }

  posix("an empty path is no path", async (s) => {
    const root = await s.user("root");
    await root.file("f");
    for (const [name, args] of CALLS) await root.no("ENOENT", name, ...args(""));
  });

  posix("EROFS from every call that would change a file system mounted read-only", async (s) => {
    const root = await s.user("root");
    await root.mkdir("d");
    await root.file("d/f", 0o666, "text");
    await root.mkdir("d/e");
    await root.ok("setxattr", "d/f", "user.x", "1", 1, 0);
    await s.bindMount("ro", { source: `${s.path}/d`, readOnly: true });
    const changes: readonly (readonly [string, ...(string | number | null)[]])[] = [
      ["open", "ro/f", O.WRONLY, 0],
      ["open", "ro/f", O.RDONLY | O.TRUNC, 0],
      ["open", "ro/new", O.CREAT | O.WRONLY, 0o644],
      ["mkdir", "ro/new", 0o755],
      ["rmdir", "ro/e"],
      ["unlink", "ro/f"],
      ["mknod", "ro/new", 0o10644, 0],
      ["symlink", "x", "ro/new"],
      ["link", "ro/f", "ro/new"],
      ["rename", "ro/f", "ro/new"],
      ["chmod", "ro/f", 0o600],
      ["chown", "ro/f", 1, 1],
      ["truncate", "ro/f", 0],
      ["utimensat", AT.FDCWD, "ro/f", null, 0],
      ["setxattr", "ro/f", "user.y", "1", 1, 0],
      ["removexattr", "ro/f", "user.x"],
      ["access", "ro/f", 2],
    ];
    for (const [name, ...args] of changes) await root.no("EROFS", name, ...args);
    s.expect("content", await root.content("ro/f"), "text");
    await root.no("EEXIST", "mkdir", "ro/e", 0o755);
    await root.no("EROFS", "unlink", "ro/missing");
  });

  posix("EXDEV between two mounts, and EBUSY for what is mounted on", async (s) => {
    const root = await s.user("root");
    await root.mkdir("d");
    await root.file("d/f");
    await root.file("g");
    await s.bindMount("other", { source: `${s.path}/d` });
    await root.no("EXDEV", "rename", "other/f", "f");
    await root.no("EXDEV", "rename", "g", "other/g");
    await root.no("EXDEV", "link", "g", "other/g");
    await root.no("EXDEV", "link", "other/f", "f");
    await root.no("EBUSY", "rmdir", "other");
    await root.no("EBUSY", "rename", "other", "else");
    await root.ok("rename", "other/f", "other/h");
    await root.ok("access", "d/h", 0);
  });
}
