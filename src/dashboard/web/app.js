import { chart } from "./charts.js";
import { filePage } from "./file.js";
import { act, managePage, refreshWho } from "./manage.js";
import { card, safe, table, tone, word } from "./parts.js";

/** The page: asks for the state of the cluster every two seconds and shows it. What comes from the cluster is text, never markup. */
const EVERY_MS = 2000;
const HOUR_MS = 3_600_000;
const EVENTS_MAX = 500;
const main = document.getElementById("main");
const state = {
  picture: undefined,
  history: [],
  events: [],
  file: undefined,
  filter: { severity: "", text: "" },
};

const UNITS = ["B", "KB", "MB", "GB", "TB", "PB"];
function size(bytes) {
  let [value, unit] = [bytes, 0];
  while (value >= 1024 && unit < UNITS.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${unit === 0 || value >= 100 || Number.isInteger(value) ? value.toFixed(0) : value.toFixed(1)}${UNITS[unit]}`;
}
const count = (value) =>
  value >= 10_000 ? `${(value / 1000).toFixed(0)}k` : value.toFixed(value >= 10 ? 0 : 1).replace(/\.0$/, "");
const rate = (bytes) => `${size(bytes)}/s`;
const moment = (ms) => new Date(ms).toLocaleString();
function duration(seconds) {
  const parts = [
    [86_400, "d"],
    [3600, "h"],
    [60, "min"],
    [1, "s"],
  ];
  const [unit, name] = parts.find(([unit]) => seconds >= unit) ?? [1, "s"];
  return `${Math.round(seconds / unit)} ${name}`;
}

function bar(parts, label) {
  return `<div class="bar" role="img" aria-label="${safe(label)}">${parts.map(([part, kind]) => `<i class="${kind}" style="width:${(100 * part).toFixed(2)}%"></i>`).join("")}</div>`;
}
const usage = (free, total) => (total === 0 ? 0 : (total - free) / total);
const fullness = (used) => (used > 0.95 ? "bad" : used > 0.8 ? "warn" : "");

function overview({ status, repairSeconds }) {
  const { space, chunks, filesystem, mdsServers, chunkServers } = status;
  const servers = chunkServers.filter((server) => server.status !== "dropped");
  const active = servers.filter((server) => server.status === "active").length;
  const available = mdsServers.filter((server) => server.status === "avail").length;
  const used = usage(space.freeBytes, space.totalBytes);
  const tiers = (space.tiers ?? []).map(
    (tier) =>
      `<p class="soft">Tier ${tier.tier}: ${size(tier.freeBytes)} of ${size(tier.totalBytes)} free on ${tier.serverCount} servers</p>${bar([[usage(tier.freeBytes, tier.totalBytes), ""]], `tier ${tier.tier}`)}`,
  );
  const order = [
    ["healthy", "good"],
    ["standby", "two"],
    ["degraded", "warn"],
    ["urgent", "warn"],
    ["blocked", "bad"],
    ["pending", "bad"],
    ["offline", "bad"],
  ];
  const states = order.filter(([name]) => chunks[name] > 0);
  const more = ["replicating", "overcommitted", "deleting", "unique", "void"].filter(
    (name) => chunks[name] > 0,
  );
  const lacking = chunks.degraded + chunks.urgent + chunks.blocked + chunks.pending;
  const fill = state.history.at(-1)?.fillBytes ?? 0;
  return [
    card(
      "Space",
      `<p class="big" data-key="allocatable">${size(space.allocatableFreeBytes)}</p><p class="soft">can still be stored (copies not counted), of ${size(space.allocatableBytes)}</p>${bar([[used, fullness(used)]], `${Math.round(100 * used)} % used`)}<p class="soft">${size(space.freeBytes)} of ${size(space.totalBytes)} on disks are free</p>${space.capacityBytes > 0 ? `<p class="soft">limit: ${size(space.usedBytes)} of ${size(space.capacityBytes)}</p>` : ""}${tiers.length > 1 ? tiers.join("") : ""}`,
    ),
    card(
      "Servers",
      `<p class="big"><span data-key="cs-active">${active}</span> of ${servers.length}</p><p class="soft">chunk servers are active</p><p class="big"><span data-key="mds-avail">${available}</span> of ${mdsServers.length}</p><p class="soft">metadata servers are available</p>`,
    ),
    card(
      "Chunks",
      `<p class="big" data-key="chunks">${chunks.total}</p>${bar(
        states.map(([name, kind]) => [chunks[name] / (chunks.total || 1), kind]),
        states.map(([name]) => `${chunks[name]} ${name}`).join(", "),
      )}<p class="soft">${[...states.map(([name]) => name), ...more].map((name) => `${chunks[name]} ${name}`).join(", ") || "none yet"}</p><p>${lacking === 0 ? '<span class="good">Every chunk has its copies.</span>' : `<span class="warn">${lacking} lack copies</span>; ${rate(fill)} are copied${repairSeconds === undefined ? "" : `, about ${duration(repairSeconds)} to go`}`}</p>`,
    ),
    card(
      "Files",
      `<p class="big" data-key="files">${filesystem.fileCount}</p><p class="soft">files, ${size(filesystem.sizeBytes)} in all</p><p class="soft">new ones are kept ${status.replicas} times, at least ${status.replicasMinimum}</p>`,
    ),
    card(
      "Throughput of clients",
      chart(
        state.history,
        [
          { name: "read", tone: "one", of: (sample) => sample.readBytes },
          { name: "written", tone: "two", of: (sample) => sample.writeBytes },
        ],
        rate,
        "Throughput",
        10_000,
      ),
    ),
    card(
      "Requests of clients",
      chart(
        state.history,
        [
          { name: "reads", tone: "one", of: (sample) => sample.reads },
          { name: "writes", tone: "two", of: (sample) => sample.writes },
        ],
        (value) => `${count(value)}/s`,
        "Requests",
        10,
      ),
    ),
    card(
      "Latency",
      chart(
        state.history,
        [{ name: "mean", tone: "one", of: (sample) => sample.latencyMs }],
        (value) => `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`,
        "Latency",
        10,
      ),
    ),
    card(
      "Copying",
      chart(
        state.history,
        [{ name: "repair and balance", tone: "two", of: (sample) => sample.fillBytes }],
        rate,
        "Copying",
        10_000,
      ),
    ),
    card("Latest events", eventTable(state.events.slice(0, 8)), "wide"),
  ].join("");
}

/** Lists by the value of that field, in the order of their first members. */
function groups(servers, field) {
  const lists = new Map();
  for (const server of servers) lists.set(server[field], [...(lists.get(server[field]) ?? []), server]);
  return lists;
}

function serversPage({ status }) {
  const servers = status.chunkServers.filter((server) => server.status !== "dropped");
  const disk = (server) => {
    const used = usage(server.freeBytes, server.totalBytes);
    return `<div class="disk"><a href="#/cs/${server.csId}">CS#${server.csId}</a>${bar([[used, fullness(used)]], `${Math.round(100 * used)} % used`)}<span>${word(server.status)}${server.flags ? ` <b>${safe(server.flags)}</b>` : ""}</span></div>`;
  };
  const box = ([hostId, list]) =>
    `<div class="host"><h4>${safe(list[0].address.replace(/:\d+$/, ""))}</h4><p class="soft">host ${safe(hostId)}</p>${list.map(disk).join("")}</div>`;
  // What fails together stands together: the disks of a host, the hosts of a rack.
  const racks = [...groups(servers, "location")].sort(([a], [b]) =>
    a.localeCompare(b, "en", { numeric: true }),
  );
  const boxes = racks.map(([location, list]) => {
    const [room, row, rack] = location.split(".");
    const hosts = [...groups(list, "hostId")];
    const active = list.filter((server) => server.status === "active").length;
    return `<div class="rack" role="group" aria-label="room ${safe(room)}, row ${safe(row)}, rack ${safe(rack)}"><h3>Room ${safe(room)}, row ${safe(row)}, rack ${safe(rack)}</h3><p class="soft">${active} of ${list.length} disks active on ${hosts.length} hosts</p><div class="hosts">${hosts.map(box).join("")}</div></div>`;
  });
  return [
    card("Disks by host", boxes.join(""), "wide"),
    card(
      "Chunk servers",
      table(
        "Over the last seconds",
        [
          { title: "CSID", of: (server) => `<a href="#/cs/${server.csId}">${server.csId}</a>` },
          { title: "Status", of: (server) => word(server.status) },
          { title: "Tier", isNumber: true, of: (server) => server.tier },
          { title: "Space", isNumber: true, of: (server) => size(server.totalBytes) },
          { title: "Free", isNumber: true, of: (server) => size(server.freeBytes) },
          { title: "Replicas", isNumber: true, of: (server) => server.replicaCount },
          { title: "Read", isNumber: true, of: (server) => rate(server.readBytesPerSecond) },
          { title: "Written", isNumber: true, of: (server) => rate(server.writeBytesPerSecond) },
          { title: "I/O wait", isNumber: true, of: (server) => `${Math.round(server.ioWaitPercent)}%` },
          {
            title: "Latency",
            isNumber: true,
            of: (server) => `${server.latencyMsAverage.toFixed(1)} / ${server.latencyMsMax.toFixed(0)} ms`,
          },
          { title: "Address", of: (server) => safe(server.address) },
        ],
        servers,
      ),
      "wide",
    ),
    card(
      "Metadata servers",
      table(
        "Over the last seconds",
        [
          { title: "MDSID", of: (server) => `${server.mdsId}${server.isLeader ? " (leads)" : ""}` },
          { title: "Status", of: (server) => word(server.status) },
          { title: "Commits", isNumber: true, of: (server) => `${count(server.commitsPerSecond)}/s` },
          { title: "CPU", isNumber: true, of: (server) => `${server.cpuPercent.toFixed(1)}%` },
          { title: "Memory", isNumber: true, of: (server) => size(server.memoryBytes) },
          { title: "Up for", isNumber: true, of: (server) => duration(server.uptimeSeconds) },
          { title: "Address", of: (server) => safe(server.address) },
        ],
        status.mdsServers,
      ),
      "wide",
    ),
  ].join("");
}

function serverPage({ status }, id) {
  const server = status.chunkServers.find(({ csId }) => String(csId) === id);
  if (server === undefined) return card(`CS#${safe(id)}`, "<p>There is no such chunk server.</p>", "wide");
  const rows = [
    ["Status", word(server.status)],
    ["Flags", safe(server.flags || "none")],
    ["Address", safe(server.address)],
    ["Host", safe(server.hostId)],
    ["Place", `room.row.rack ${safe(server.location)}`],
    ["Tier", server.tier],
    ["Space", `${size(server.freeBytes)} of ${size(server.totalBytes)} free`],
    ["Replicas", `${server.replicaCount}, of them ${server.uniqueCount} without another`],
    ["Reads", `${rate(server.readBytesPerSecond)}, ${count(server.readsPerSecond)}/s`],
    ["Writes", `${rate(server.writeBytesPerSecond)}, ${count(server.writesPerSecond)}/s`],
    [
      "Latency",
      `${server.latencyMsAverage.toFixed(1)} ms mean, ${server.latencyMsMax.toFixed(0)} ms at most`,
    ],
    [
      "Copied here, from here",
      `${rate(server.fillBytesPerSecond ?? 0)}, ${rate(server.servedFillBytesPerSecond ?? 0)}`,
    ],
  ];
  const events = state.events.filter(({ message }) => new RegExp(`CS#${server.csId}\\b`).test(message));
  return (
    card(
      `CS#${server.csId}`,
      `<div class="scroll"><table>${rows.map(([name, value]) => `<tr><th scope="row">${name}</th><td class="text">${value}</td></tr>`).join("")}</table></div>`,
    ) + card("Its events", eventTable(events))
  );
}

function clientsPage({ status }) {
  return card(
    "Clients",
    table(
      `${status.clients.length} sessions`,
      [
        { title: "CLID", of: (client) => client.sessionId },
        { title: "Program", of: (client) => safe(client.program) },
        { title: "Host", of: (client) => safe(client.hostname) },
        { title: "Address", of: (client) => safe(client.address) },
        { title: "Leases", isNumber: true, of: (client) => client.leaseCount },
        { title: "Read", isNumber: true, of: (client) => rate(client.readBytesPerSecond ?? 0) },
        { title: "Written", isNumber: true, of: (client) => rate(client.writeBytesPerSecond ?? 0) },
        {
          title: "Requests",
          isNumber: true,
          of: (client) => `${count((client.readsPerSecond ?? 0) + (client.writesPerSecond ?? 0))}/s`,
        },
        {
          title: "Latency",
          isNumber: true,
          of: (client) => `${(client.latencyMsAverage ?? 0).toFixed(1)} ms`,
        },
      ],
      status.clients,
    ),
    "wide",
  );
}

function eventTable(events) {
  return table(
    "Newest first",
    [
      { title: "Time", of: (event) => safe(moment(event.wallMs)) },
      { title: "Of", of: (event) => safe(event.system) },
      { title: "Severity", of: (event) => word(event.severity) },
      { title: "What", isText: true, of: (event) => safe(event.message) },
    ],
    events,
  );
}

function eventsPage() {
  const { severity, text } = state.filter;
  const shown = state.events.filter(
    (event) =>
      (severity === "" || event.severity === severity) &&
      event.message.toLowerCase().includes(text.toLowerCase()),
  );
  const option = (value, name) =>
    `<option value="${value}" ${value === severity ? "selected" : ""}>${name}</option>`;
  return card(
    "Events",
    `<form id="filter"><label>Severity<select name="severity">${option("", "all")}${option("err", "errors")}${option("warn", "warnings")}${option("info", "information")}</select></label><label>Contains<input type="text" name="text" value="${safe(text)}"></label></form>${eventTable(shown)}`,
    "wide",
  );
}

const PAGES = {
  "": overview,
  servers: serversPage,
  cs: serverPage,
  clients: clientsPage,
  events: eventsPage,
  file: () => filePage(state.file),
  manage: managePage,
};

/** A form that somebody is typing in is left alone. */
const isTyping = () =>
  main.contains(document.activeElement) && /^(INPUT|SELECT)$/.test(document.activeElement.tagName);

function show(isForced) {
  const { picture } = state;
  const status = picture?.status;
  const trouble = document.getElementById("trouble");
  trouble.hidden = picture === undefined || picture.trouble === undefined;
  trouble.textContent = `The cluster does not answer${status === undefined ? "" : "; what you see is old"}: ${picture?.trouble ?? ""}`;
  const [page = "", argument] = location.hash.replace(/^#\/?/, "").split("/");
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === `#/${page === "cs" ? "servers" : page}`)
      link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (status === undefined) return;
  document.title = `${status.clusterName}: ${status.health}`;
  document.getElementById("name").textContent = status.clusterName;
  document.getElementById("health").innerHTML =
    `<span class="pill ${tone(status.health)}">${safe(status.health)}</span>`;
  const isForm = page === "manage" && main.querySelector("form") !== null;
  if (!isForced && (isForm || isTyping())) return;
  redraw((PAGES[page] ?? overview)(picture, argument));
}

const FOCUSABLE = "a[href], button, [tabindex]";

/** Who walks with the keyboard stays where they are, and who scrolled a table too. */
function redraw(markup) {
  const focused = [...main.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
  const target = document.activeElement?.getAttribute("href");
  const lefts = [...main.querySelectorAll(".scroll")].map(({ scrollLeft }) => scrollLeft);
  main.innerHTML = markup;
  for (const [index, box] of main.querySelectorAll(".scroll").entries()) box.scrollLeft = lefts[index] ?? 0;
  if (focused < 0) return;
  const places = [...main.querySelectorAll(FOCUSABLE)];
  const same = places[focused]?.getAttribute("href") === target ? places[focused] : undefined;
  const again = same ?? places.find((place) => target !== null && place.getAttribute("href") === target);
  again?.focus({ preventScroll: true });
}

const ask = async (path) => (await fetch(path)).json();

async function refresh() {
  try {
    const after = state.history.at(-1)?.atMs ?? 0;
    const [picture, samples, events] = await Promise.all([
      ask("api/status"),
      ask(`api/history?after=${after}`),
      ask(`api/events?after=${state.events[0]?.number ?? 0}`),
    ]);
    const begin = (samples.at(-1)?.atMs ?? after) - HOUR_MS;
    state.picture = picture;
    state.history = [...state.history, ...samples].filter(({ atMs }) => atMs >= begin);
    state.events = [...events, ...state.events].slice(0, EVENTS_MAX);
  } catch {
    state.picture = { ...state.picture, trouble: "this page's own server is gone" };
  }
  show(false);
}

main.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (event.target.classList.contains("act")) {
    await act(event.target);
    show(true);
    document.getElementById("said")?.scrollIntoView({ block: "nearest" });
  }
  if (event.target.id !== "file") return;
  const path = new FormData(event.target).get("path");
  const hash = `#/file/${encodeURIComponent(path)}`;
  if (location.hash === hash) await showFile();
  else location.hash = hash;
});

/** The file that the address of the page names: its page can be linked to, and gone back to. */
async function showFile() {
  const [page, written = ""] = location.hash.replace(/^#\/?/, "").split("/");
  if (page !== "file" || written === "") return;
  const path = decodeURIComponent(written);
  state.file = { path, ...(await ask(`api/file?path=${encodeURIComponent(path)}`)) };
  show(true);
}

main.addEventListener("input", (event) => {
  const form = event.target.closest("#filter");
  if (form === null) return;
  state.filter = Object.fromEntries(new FormData(form));
  const { name, selectionStart } = event.target;
  show(true);
  const again = main.querySelector(`#filter [name="${name}"]`);
  again.focus();
  if (name === "text") again.setSelectionRange(selectionStart, selectionStart);
});
addEventListener("hashchange", async () => {
  if (location.hash === "#/manage") await refreshWho();
  show(true);
  await showFile();
  main.focus();
});
await refreshWho();
await refresh();
await showFile();
setInterval(() => document.hidden || refresh(), EVERY_MS);
