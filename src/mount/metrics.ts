/** How long requests of the kernel to a mount take. */
export const MOUNT_REQUESTS = {
  name: "pstorage_mount_request_duration_seconds",
  help: "Time from a request of the kernel to its answer, by request; with what it waited for.",
  label: "request",
} as const;
