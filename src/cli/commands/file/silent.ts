/** `fs` commands print files and names: nothing else comes before them. */
export const SILENT = { isSilent: true } as const;
