import type { Command } from "commander";

/** What people type, for the help and the manual page of each command; by the words of the command. */
const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  "make-mds": [
    "-c stor1 make-mds -I -a 10.37.130.1 -r /pstorage/stor1-mds -p",
    "-c stor1 make-mds -a 10.37.130.2 -r /pstorage/stor1-mds",
  ],
  "auth-node": ["-c stor1 auth-node -b 10.37.130.1"],
  "make-cs": ["-c stor1 make-cs -r /disks/sdb/stor1-cs"],
  "rm-cs": ["-c stor1 rm-cs --wait 1026"],
  "rm-mds": ["-c stor1 rm-mds 2"],
  backup: ["-c stor1 backup /root/stor1.backup"],
  restore: ["-c stor1 restore /root/stor1.backup -a 10.37.130.1 -r /pstorage/stor1-mds"],
  recovery: ["-c stor1 recovery"],
  doctor: ["-c stor1 doctor"],
  "advise-configuration": [
    "-c stor1 advise-configuration --cs /disks/sdb/stor1-cs --cs /disks/sdc/stor1-cs --ssd /ssd -m /mnt/stor1",
  ],
  discover: ["discover"],
  "list-services": ["list-services -C"],
  "install-services": ["-c stor1 install-services --mount /mnt/stor1"],
  stat: ["-c stor1 stat", "-q -c stor1 stat --json"],
  top: ["-c stor1 top"],
  dashboard: ["-c stor1 dashboard --listen 10.37.130.1:2580"],
  "get-event": ["-c stor1 get-event -n 20"],
  "view-limits": ["-c stor1 view-limits"],
  "file-info": ["-c stor1 file-info /images/vm1.img"],
  "chunk-info": ["-c stor1 chunk-info 17"],
  verify: ["-c stor1 verify /images/vm1.img"],
  scrub: ["-c stor1 scrub start", "-c stor1 scrub status"],
  repair: ["-c stor1 repair --dry-run"],
  "get-attr": ["get-attr /mnt/stor1/images", "-c stor1 get-attr -p /images"],
  "set-attr": ["-c stor1 set-attr -p -R / replicas=3:2 failure-domain=host"],
  "get-config": ["-c stor1 get-config mds.wd.offline_tout"],
  "set-config": ["-c stor1 set-config mds.wd.offline_tout=600000"],
  revoke: ["revoke -R /mnt/stor1/ct101"],
  "fs ls": ["-c stor1 fs ls -l /images"],
  "fs put": ["-c stor1 fs put -r images /images"],
  "fs get": ["-c stor1 fs get -r /images copy"],
  "fs cat": ["-c stor1 fs cat /notes.txt"],
  "fs mkdir": ["-c stor1 fs mkdir -p /images/old"],
  "fs mv": ["-c stor1 fs mv /images/a /images/b"],
  "fs rm": ["-c stor1 fs rm -r /images/old"],
  "fs ln": ["-c stor1 fs ln -s /images/b /current"],
  "fs stat": ["-c stor1 fs stat /images"],
  "fs du": ["-c stor1 fs du /images"],
  "lab up": ["lab up --mds 3 --cs 4 --dir /tmp/lab --detach"],
  "lab down": ["lab down --dir /tmp/lab"],
  "lab status": ["lab status --dir /tmp/lab"],
  "lab destroy": ["lab destroy --dir /tmp/lab --yes"],
  completion: ["completion bash > /etc/bash_completion.d/pstorage"],
};

/** Examples of a command below `pstorage`, as arguments of it. */
export function examplesOf(command: Command): readonly string[] {
  return EXAMPLES[wordsOf(command).join(" ")] ?? [];
}

/** The words that call the command: `fs`, `ls`. */
export function wordsOf(command: Command): string[] {
  const words: string[] = [];
  for (let each: Command | null = command; each?.parent; each = each.parent) words.unshift(each.name());
  return words;
}

/** For the end of a command's help. */
export function exampleText(program: string, command: Command): string {
  const lines = examplesOf(command).map((line) => `  ${program} ${line}`);
  return lines.length === 0 ? "" : `\n${lines.length === 1 ? "Example" : "Examples"}:\n${lines.join("\n")}`;
}
