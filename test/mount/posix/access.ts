import { AT, F_OK, O, R_OK, S, W_OK, X_OK } from "../linux.js";
import { posix } from "../stage.js";

const PEOPLE = ["root", "ann", "bob", "eve"] as const;

export function accessCases(): void {
  posix("access answers for owner, group, supplementary group and others by their own bits", async (s) => {
    const users = await s.users(...PEOPLE);
    await users.root.file("f");
    await users.root.ok("chown", "f", users.ann.uid, 60100);
    for (const mode of [0o700, 0o070, 0o007, 0o640, 0o604, 0o111, 0o421, 0o077, 0o000]) {
      await users.root.ok("chmod", "f", mode);
      for (const person of PEOPLE) {
        for (const wanted of [F_OK, R_OK, W_OK, X_OK, R_OK | W_OK, R_OK | X_OK]) {
          await users[person].does("access", "f", wanted);
        }
      }
    }
  });

  posix("access to directories, through directories, and of what is not there", async (s) => {
    const { root, ann, eve } = await s.users("root", "ann", "eve");
    await ann.mkdir("d", 0o700);
    await ann.file("d/f", 0o777);
    await ann.ok("access", "d/f", R_OK | W_OK | X_OK);
    await eve.no("EACCES", "access", "d/f", F_OK);
    await eve.no("EACCES", "access", "d/nothing", F_OK);
    await eve.no("EACCES", "access", "d", X_OK);
    await root.ok("access", "d", X_OK);
    await root.no("ENOENT", "access", "d/nothing", F_OK);
    await root.no("EINVAL", "access", "d", 8);
    await root.no("ENOTDIR", "access", "d/f/x", F_OK);
    await ann.ok("symlink", "d/f", "l");
    await eve.no("EACCES", "access", "l", F_OK);
    await ann.ok("symlink", "gone", "m");
    await ann.no("ENOENT", "access", "m", F_OK);
    await ann.ok("faccessat", AT.FDCWD, "m", F_OK, AT.SYMLINK_NOFOLLOW);
    await ann.ok("faccessat", AT.FDCWD, "d/f", W_OK, AT.EACCESS);
  });

  posix("root may do everything but execute what nobody may execute", async (s) => {
    const root = await s.user("root");
    await root.file("f", 0o000);
    await root.ok("access", "f", R_OK | W_OK);
    await root.no("EACCES", "access", "f", X_OK);
    await root.ok("chmod", "f", 0o001);
    await root.ok("access", "f", X_OK);
    await root.mkdir("d", 0o000);
    await root.ok("access", "d", R_OK | W_OK | X_OK);
  });

  posix(
    "supplementary groups count for files and directories, and the group class comes before others",
    async (s) => {
      const { root, ann, bob, eve } = await s.users("root", "ann", "bob", "eve");
      await root.mkdir("d");
      await root.ok("chown", "d", 0, 60100);
      await root.ok("chmod", "d", 0o770);
      await ann.file("d/f", 0o660, "ours");
      await root.ok("chown", "d/f", -1, 60100);
      s.expect("bob reads", await bob.content("d/f"), "ours");
      await bob.ok("rename", "d/f", "d/g");
      await eve.no("EACCES", "open", "d/g", O.RDONLY, 0);
      await root.ok("chmod", "d/g", 0o606);
      await bob.no("EACCES", "open", "d/g", O.RDONLY, 0);
      await root.ok("chmod", "d", 0o2770);
      await bob.file("d/h");
      s.expect("inherited group", (await bob.see("d/h")).gid, 60100);
      await bob.ok("chmod", "d/h", 0o2755);
      await bob.see("d/h");
    },
  );

  posix("programs run from the file system with their bits, also setuid ones", async (s) => {
    const { root, ann } = await s.users("root", "ann");
    await root.run("cp", "/usr/bin/id", "id");
    const runs = async (): Promise<string> => {
      const { value, errno, out } = await ann.agent.run(["./id", "-u"]);
      return errno ?? `${value} ${out[0]?.toString().trim()}`;
    };
    await root.ok("chmod", "id", 0o644);
    s.expect("without x", await runs(), "EACCES");
    await root.ok("chmod", "id", 0o755);
    s.expect("with x", await runs(), `0 ${ann.uid}`);
    await root.ok("chmod", "id", 0o4755);
    s.note("setuid", await runs());
  });

  posix("a program that runs cannot be written, and one that is written cannot run", async (s) => {
    const { root, twin } = await s.users("root", "twin");
    await root.run("cp", "/usr/bin/sleep", "sleep");
    const running = twin.agent.run(["./sleep", "1"]);
    await s.tick(300);
    await root.no("ETXTBSY", "open", "sleep", O.WRONLY, 0);
    await root.no("ETXTBSY", "truncate", "sleep", 0);
    await root.ok("rename", "sleep", "sleep2");
    await running;
    const fd = await root.open("sleep2", O.WRONLY);
    s.expect(
      "exec of what is open for writing",
      (await twin.agent.run(["./sleep2", "0"])).errno ?? "ran",
      "ETXTBSY",
    );
    await root.close(fd);
    s.expect("exec afterwards", (await twin.agent.run(["./sleep2", "0"])).errno ?? "ran", "ran");
  });

  posix("mknod makes fifos and sockets for all, devices for root, with their numbers", async (s) => {
    const { root, ann } = await s.users("root", "ann");
    await ann.ok("mknod", "p", S.IFIFO | 0o640, 0);
    await ann.ok("mkfifo", "q", 0o666);
    await ann.ok("mknod", "k", S.IFSOCK | 0o666, 0);
    await ann.ok("mknod", "r", S.IFREG | 0o666, 0);
    await ann.ok("mknod", "r0", 0o600, 0);
    for (const name of ["p", "q", "k", "r", "r0"]) await ann.see(name);
    await ann.no("EPERM", "mknod", "c", S.IFCHR | 0o666, 0x103);
    await root.ok("mknod", "c", S.IFCHR | 0o666, 0x103);
    await root.ok("mknod", "b", S.IFBLK | 0o600, 0x1234_0567);
    await root.see("c");
    await root.see("b");
    await root.no("EPERM", "mknod", "x", S.IFDIR | 0o755, 0);
    await root.no("EINVAL", "mknod", "x", S.IFLNK | 0o755, 0);
    await root.no("EEXIST", "mknod", "p", S.IFIFO | 0o640, 0);
    await root.no("EEXIST", "mkfifo", "c", 0o640);
    await root.no("ENOENT", "mkfifo", "x/y", 0o640);
    await s.touches(root, { ".": "mc" }, () => root.ok("mkfifo", "new", 0o640));
    await root.ok("umask", 0o077);
    await root.ok("mkfifo", "masked", 0o666);
    await root.see("masked");
  });

  posix("a device node leads to its device", async (s) => {
    const root = await s.user("root");
    await root.ok("mknod", "null", S.IFCHR | 0o666, 0x103);
    const fd = await root.ok("open", "null", O.RDWR, 0);
    await root.gives(4, "write", fd, "gone", 4);
    await root.gives(0, "read", fd, { out: 4 }, 4);
  });
}
