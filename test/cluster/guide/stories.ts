import type { CsStatus } from "../../../src/meta/index.js";
import type { Guide, PageStory, Scene } from "./guide.js";
import { CHECKOUT, pageText } from "./pages.js";

/**
 * How somebody with a few machines follows the documents, page after page: the machines have the addresses 10.37.130.1 and so
 * on, and go on as the page before has left them. Blocks that are not mentioned are typed on the first machine as they stand.
 */

const inCheckout = async (guide: Guide): Promise<void> => {
  for (const number of guide.numbers) await guide.type(number, `cd ${CHECKOUT}`);
};

/** `stat` says that all are there, and nothing is left to be copied. */
const whole = async (guide: Guide): Promise<void> => {
  await guide.until("everything is there", ({ health, mdsServers, chunks }) => {
    const isLacking = chunks.degraded + chunks.urgent + chunks.blocked + chunks.pending + chunks.offline > 0;
    return health === "healthy" && mdsServers.every(({ status }) => status === "avail") && !isLacking;
  });
};

/** Machines besides the first three are let in, and may have a chunk server. */
const admit =
  (number: number, withChunkServer = false) =>
  async (guide: Guide): Promise<void> => {
    await guide.type(number, `cd ${CHECKOUT} && npm install -g .`);
    await guide.type(number, "pstorage -c stor1 auth-node -b 10.37.130.1");
    if (!withChunkServer) return;
    await guide.type(number, "pstorage -c stor1 make-cs -r /disks/sdb/stor1-cs && pstorage-csd start");
  };

const README: PageStory = {
  page: "README.md",
  scenes: [
    { begins: "npm start", before: inCheckout, stays: true },
    {
      begins: "cp -r docs mnt/",
      shows: [/architecture\.md/, /replicas=3:2/, /Cluster 'lab': healthy/, /CS nodes: {2}5 of 5/],
      after: async (guide) => {
        await guide.type(1, "unset PSTORAGE_ROOT PSTORAGE_NAME");
      },
    },
  ],
};

const SET_UP: PageStory = {
  page: "docs/operating/set-up.md",
  scenes: [
    { begins: "npm install -g .", on: [1, 2, 3], before: inCheckout },
    { begins: "pstorage -c stor1 make-mds -I", shows: [/Cluster 'stor1': healthy/] },
    {
      begins: "pstorage -c stor1 auth-node",
      on: [2, 3],
      as: (guide, number) => ({ "10.37.130.2": guide.reader(number).machine.address }),
      after: whole,
    },
    {
      begins: "pstorage -c stor1 advise-configuration",
      before: async (guide) => {
        await guide.do(1, "mkdir -p /disks/sdc /ssd /mnt/stor1");
      },
      shows: [/make-cs/, /pstorage-mount/],
    },
    {
      begins: "pstorage -c stor1 auth-node",
      on: [1, 2],
      shows: [/\[OK\] +bs\.list +all 3 MDSs/, /^0 to mend/m],
    },
    { begins: "pstorage -c stor1 set-attr", shows: [/replicas=3:2/] },
    { begins: "pstorage lab up", shows: [/Cluster 'lab': healthy/, /CS +1028 running/] },
  ],
};

const mount: readonly Scene[] = [
  { begins: "pstorage -c stor1 auth-node", on: [2], shows: [/pstorage:\/\/stor1 .* \/mnt\/stor1/] },
  {
    begins: "ln -s",
    on: [2],
    after: async (guide) => {
      const line = /^ {4}(pstorage:\/\/.*)$/m.exec(pageText("docs/operating/mount.md"))?.[1] ?? "";
      await guide.do(2, `umount /mnt/stor1; echo '${line}' >> /etc/fstab; mount /mnt/stor1`);
    },
  },
  {
    begins: "pstorage set-attr",
    on: [2],
    before: async (guide) => {
      await guide.do(2, "mkdir /mnt/stor1/images");
    },
    shows: [/replicas=3:2/],
    after: async (guide) => {
      await guide.do(2, "umount /mnt/stor1; mkdir -p /ssd");
    },
  },
  {
    begins: "pstorage-mount -c stor1 -C",
    on: [2],
    shows: [/^main_size_mb 8000$/m, /^state on$/m],
    after: async (guide) => {
      await guide.do(2, "umount /mnt/stor1");
    },
  },
];

const services: readonly Scene[] = [
  {
    begins: "pstorage-mdsd start",
    shows: [/is running \(pid/, /restarted/, /CS#1025 .* stopped/],
    after: async (guide) => {
      await guide.do(1, "pstorage-csd start");
      await whole(guide);
    },
  },
  {
    begins: "pstorage -c stor1 install-services --dir",
    shows: [/mnt-stor1\.mount/, /pstorage-mdsd\.stor1\.1\.service/],
  },
];

const events: readonly Scene[] = [
  {
    begins: "pstorage -c stor1 get-event",
    shows: [
      /CS +info CS#1025 was stopped and is in maintenance/,
      // The second of the commands, until it is left: nothing below the severity that was asked for.
      /MESSAGE\n(?:[^\n]* warn [^\n]*\n)+\^C/,
    ],
  },
];

const daily: readonly Scene[] = [
  { begins: "pstorage -c stor1 stat", shows: [/TIME +SYS SEV +MESSAGE/, /CS#1025 .* is running/] },
  { begins: "pstorage-csd stop stor1", after: whole },
  {
    begins: "pstorage -c stor1 set-config mds.wd.maintenance_tout",
    after: async (guide) => {
      await guide.do(1, "pstorage -c stor1 set-config mds.wd.maintenance_tout=1800000");
    },
  },
  {
    begins: "pstorage -c stor1 set-config mds.rebalance.enabled=0",
    after: async (guide) => {
      await guide.do(1, "pstorage -c stor1 set-config mds.rebalance.enabled=1");
    },
  },
  {
    begins: "pstorage -c stor1 scrub",
    before: async (guide) => {
      const files = "for i in $(seq 20); do head -c 100000 /dev/urandom > /srv/images/$i; done";
      await guide.do(1, `mkdir -p /srv/images; ${files}; head -c 5000000 /dev/urandom > /srv/images/web.img`);
      await guide.do(1, "pstorage -c stor1 fs put -r /srv/images /images");
      const told = await guide.do(1, "pstorage -c stor1 file-info --json -p /images/web.img");
      const { chunks } = JSON.parse(told) as { readonly chunks: readonly { readonly chunkId: number }[] };
      guide.ids.set("chunk", String(chunks[0]?.chunkId));
    },
    as: (guide) => ({ "chunk-info 17": `chunk-info ${guide.ids.get("chunk")}` }),
    shows: [
      /CS#1025 reads everything again/,
      /Chunk \d+ .*: healthy\n +File: inode \d+, index 0/,
      /web\.img: 1 chunks, .* whole and equal/,
      /nothing is to be done now/,
    ],
  },
  { begins: "pstorage-mdsd stop stor1", shows: [/MDS#1 .* stopped/, /reloaded/], after: whole },
  {
    begins: "pstorage -c stor1 fs put -r",
    shows: [/web\.img/],
    after: async (guide) => {
      await guide.do(
        1,
        'diff -r /srv/images /srv/copy; test -z "$(pstorage -q -c stor1 fs ls / | grep old)"',
      );
    },
  },
  { begins: "pstorage -c stor1 get-config", shows: [/mds\.wd\.offline_tout/] },
  {
    begins: "pstorage -c stor1 revoke",
    before: async (guide) => {
      await guide.do(1, "mkdir -p /srv/vms/web1; pstorage -c stor1 fs put -r /srv/vms /vms");
    },
  },
];

const capacity: readonly Scene[] = [
  {
    begins: "pstorage -c stor1 stat",
    before: async (guide) => {
      await guide.do(1, "pstorage -c stor1 fs put -r /srv/images /images");
      await guide.do(1, "mkdir -p /mnt/stor1; pstorage-mount -c stor1 /mnt/stor1");
    },
    shows: [/allocatable .* of .*, free .* of /, /pstorage:\/\/stor1/],
    after: async (guide) => {
      await guide.do(1, "umount /mnt/stor1");
    },
  },
  {
    begins: "pstorage -c stor1 set-config mds.alloc.capacity_max",
    after: async (guide) => {
      await guide.do(1, "pstorage -c stor1 set-config mds.alloc.capacity_max=0");
    },
  },
];

/** Prints what is served there. */
const look = (address: string): string =>
  `NODE_TLS_REJECT_UNAUTHORIZED=0 node -e 'fetch("${address}").then((r) => r.text()).then(console.log)'`;

const dashboard: readonly Scene[] = [
  {
    begins: "pstorage-mdsd restart stor1",
    before: async (guide) => {
      const line = /^stor1 .* dashboard=.*$/m.exec(pageText("docs/operating/dashboard.md"))?.[0] ?? "";
      await guide.do(1, `echo '${line}' > /etc/pstorage/mds.config`);
    },
    after: async (guide) => {
      await guide.eventually(1, look("https://10.37.130.1:2512/api/status"), /"clusterName":"stor1"/);
      await whole(guide);
    },
  },
  {
    begins: "pstorage -c stor1 dashboard",
    stays: true,
    after: async (guide) => {
      await guide.eventually(2, look("http://10.37.130.1:2580/api/status"), /"clusterName":"stor1"/);
    },
  },
];

const metrics: readonly Scene[] = [
  {
    begins: "pstorage-csd restart",
    before: async (guide) => {
      const line = /^stor1 .* metrics=.*$/m.exec(pageText("docs/operating/metrics.md"))?.[0] ?? "";
      await guide.do(1, `echo '${line.replace("10.0.0.1", "10.37.130.1")}' > /etc/pstorage/cs.config`);
    },
    after: async (guide) => {
      await guide.eventually(1, look("http://10.37.130.1:9511/metrics"), /pstorage_cs_replicas/);
      await guide.eventually(1, look("http://127.0.0.1:9512/metrics"), /pstorage_client_is_connected/);
      await guide.do(1, "umount /mnt/stor1");
      await whole(guide);
    },
  },
];

const failureDomains: readonly Scene[] = [
  {
    begins: "pstorage -c stor1 set-attr",
    before: async (guide) => {
      for (const number of [1, 2, 3]) await guide.do(number, `echo 0.0.${number} > /etc/pstorage/location`);
    },
    shows: [/failure-domain=rack/],
  },
  { begins: "pstorage-csd restart", on: [1, 2, 3], after: whole },
  {
    begins: "pstorage -c stor1 set-config",
    after: async (guide) => {
      await guide.do(1, "pstorage -c stor1 set-attr -p -R / failure-domain=host");
    },
  },
];

const troubleshooting: readonly Scene[] = [
  { begins: "pstorage -c stor1 doctor", shows: [/^\[OK\] +certificate/m] },
  {
    begins: "pstorage-make-report",
    after: async (guide) => {
      await guide.eventually(1, "tar -tzf /tmp/report.tgz", /stat/);
    },
  },
  { begins: "pstorage-hwflush-check -l", on: [2], stays: true },
  {
    begins: "pstorage-hwflush-check -s",
    as: () => ({ "10.37.130.9": "10.37.130.2" }),
    shows: [/testing \/disks\/sdb with 100 threads/, /flushes; the power was not cut/],
  },
];

const upgrade: readonly Scene[] = [
  { begins: "pstorage -c stor1 backup" },
  { begins: "pstorage -c stor1 stat", shows: [/Chunks: \[OK\]/] },
  { begins: "pstorage-csd restart stor1", on: [1, 2, 3], shows: [/restarted/], after: whole },
  {
    begins: "pstorage-mount",
    after: async (guide) => {
      await guide.do(1, "umount /mnt/stor1");
    },
  },
  { begins: "pstorage -c stor1 set-config mds.wd.offline_tout" },
  {
    begins: "pstorage -c stor1 set-config mds.level.max=2",
    after: async (guide) => {
      await guide.do(1, "pstorage -c stor1 set-config mds.level.max=0");
    },
  },
];

const containers: readonly Scene[] = [
  {
    begins: "pstorage stat",
    before: async (guide) => {
      await guide.type(1, "export PSTORAGE_NAME=stor1");
    },
    shows: [/Cluster 'stor1'/, /images/],
    after: async (guide) => {
      await guide.type(1, "unset PSTORAGE_NAME");
    },
  },
];

const growTheMdsGroup: readonly Scene[] = [
  { begins: "pstorage -c stor1 make-mds", on: [4], before: admit(4), after: whole },
  {
    begins: "pstorage -c stor1 rm-mds 4",
    after: async (guide) => {
      await guide.until("three metadata servers are left", ({ mdsServers }) => mdsServers.length === 3);
    },
  },
];

/** What is lost with the disk of a metadata server. */
const loseMds = async (guide: Guide, number: number): Promise<void> => {
  await guide.do(number, "pstorage-mdsd stop; rm -rf /pstorage/stor1-mds");
};

const replaceAnMds: readonly Scene[] = [
  {
    begins: "pstorage -c stor1 make-mds --replace 2 -r",
    on: [2],
    before: (guide) => loseMds(guide, 2),
    after: whole,
  },
  {
    begins: "pstorage -c stor1 make-mds --replace 2 -a",
    on: [4],
    before: async (guide) => {
      // That of the fourth machine was taken out, and its daemon may be about to notice.
      for (const number of [3, 4]) await loseMds(guide, number);
    },
    as: () => ({ "--replace 2": "--replace 3", "10.37.130.6": "10.37.130.4" }),
    after: whole,
  },
  {
    begins: "pstorage -c stor1 rm-mds 2",
    before: async (guide) => {
      const { mdsServers } = await guide.until("there are three", (status) => status.mdsServers.length === 3);
      const last = mdsServers.find(({ address }) => address.startsWith("10.37.130.4:"));
      guide.ids.set("last mds", String(last?.mdsId));
    },
    as: (guide) => ({ "rm-mds 2": `rm-mds ${guide.ids.get("last mds")}` }),
    after: whole,
  },
];

const replaceADisk: readonly Scene[] = [
  {
    begins: "pstorage -c stor1 rm-cs --wait 1026",
    on: [2],
    before: async (guide) => {
      await guide.type(4, "pstorage -c stor1 make-cs -r /disks/sdb/stor1-cs && pstorage-csd start");
      await whole(guide);
    },
    after: whole,
  },
  {
    begins: "pstorage -c stor1 rm-cs -f 1026",
    on: [3],
    before: async (guide) => {
      await guide.do(3, "pstorage-csd stop; rm -rf /disks/sdb");
    },
    as: () => ({ "1026": "1027" }),
  },
  { begins: "pstorage -c stor1 make-cs -r", on: [2, 3], after: whole },
];

const partitions: readonly Scene[] = [
  {
    begins: "pstorage -c stor1 rm-cs -f 1027",
    before: async (guide) => {
      await guide.do(3, "pstorage-csd stop");
      const isAway = ({ status }: CsStatus): boolean => status !== "active" && status !== "dropped";
      const { chunkServers } = await guide.until("it is away", (status) => status.chunkServers.some(isAway));
      guide.ids.set("lost cs", String(chunkServers.find(isAway)?.csId));
    },
    as: (guide) => ({ "1027": guide.ids.get("lost cs") ?? "" }),
    after: whole,
  },
];

const disaster: readonly Scene[] = [
  {
    begins: "pstorage -c stor1 backup",
    before: async (guide) => {
      await guide.do(1, "mkdir -p /backup");
    },
  },
  {
    begins: "pstorage -c stor1 restore",
    before: async (guide) => {
      for (const number of [2, 1]) await loseMds(guide, number);
    },
  },
  { begins: "pstorage -c stor1 make-mds -a", on: [2], after: whole },
  { begins: "pstorage-mdsd stop stor1", before: (guide) => loseMds(guide, 2) },
  {
    begins: "pstorage -c stor1 set-config mds.recovery.orphan_tout=0",
    after: async (guide) => {
      await guide.eventually(
        1,
        "pstorage -c stor1 recovery",
        /Chunks in doubt: +0\n +nobody has anything of: +0$/m,
      );
      await whole(guide);
      await guide.do(
        1,
        "rm -rf /srv/copy; pstorage -c stor1 fs get -r /images /srv/copy; diff -r /srv/images /srv/copy",
      );
    },
  },
];

const simulation: readonly Scene[] = [
  {
    begins: "npm run sim -- --seed 417",
    before: async (guide) => {
      await guide.type(1, `cd ${CHECKOUT}`);
    },
    shows: [/417/],
  },
];

const operating = (name: string, scenes: readonly Scene[] = []): PageStory => ({
  page: `docs/operating/${name}.md`,
  scenes,
});

/** All pages on which anything can be typed here, in the order in which they are read. */
export const STORIES: readonly PageStory[] = [
  SET_UP,
  operating("discovery", [{ begins: "pstorage discover", on: [2], shows: [/10\.37\.130\.1:2510/] }]),
  operating("mount", mount),
  operating("services", services),
  operating("metrics", metrics),
  operating("events", events),
  operating("exit-status", [{ begins: "pstorage -q -c stor1 stat", shows: [/^Cluster 'stor1': healthy/m] }]),
  operating("migration"),
  operating("failure-domains", failureDomains),
  operating("containers", containers),
  operating("grow-the-mds-group", growTheMdsGroup),
  README,
  operating("daily", daily),
  operating("capacity", capacity),
  operating("dashboard", dashboard),
  operating("troubleshooting", troubleshooting),
  operating("upgrade", upgrade),
  operating("replace-an-mds", replaceAnMds),
  operating("replace-a-disk", replaceADisk),
  operating("partitions", partitions),
  operating("disaster", disaster),
  { page: "docs/simulation.md", scenes: simulation },
];
