export { type DataChannelOptions, DataChannels, type DataMethod } from "./data-channels.js";
