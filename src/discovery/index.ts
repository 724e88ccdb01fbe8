/** How metadata servers are found by the name of their cluster: lists, DNS, the local network. */
export { clustersInDns, type Dns, machineDns, mdsInDns } from "./dns.js";
export { type FindOptions, findMds, machineSearch, type Search } from "./find-mds.js";
export { clientAddressOf, MDS_PORT, parseMdsName, parseMdsNames } from "./mds-address.js";
export { browseMds, canAnnounce, type MdsAnnouncement, MdsAnnouncer } from "./multicast.js";
