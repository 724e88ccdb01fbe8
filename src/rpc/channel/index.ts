export { OPEN_DATA_CHANNEL } from "./data-channel-methods.js";
export { type DataChannelOptions, DataChannels } from "./data-channels.js";
