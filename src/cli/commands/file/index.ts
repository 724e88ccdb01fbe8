import type { Command } from "commander";
import type { Invocation } from "../../invocation.js";
import { defineFileCat } from "./cat.js";
import { defineFileDu } from "./du.js";
import { defineFileGet } from "./get.js";
import { defineFileLink } from "./link.js";
import { defineFileList } from "./list.js";
import { defineFileMkdir } from "./mkdir.js";
import { defineFileMove } from "./move.js";
import { defineFilePut } from "./put.js";
import { defineFileRemove } from "./remove.js";
import { defineFileStat } from "./stat.js";

/** `fs ...`: the files of a cluster without a mount. Paths are from the root of the cluster. */
export function defineFileCommands(program: Command, invocation: Invocation): void {
  const fs = program
    .command("fs")
    .description("use the files of the cluster without a mount; its paths begin at its root");
  const defines = [
    defineFileList,
    defineFilePut,
    defineFileGet,
    defineFileCat,
    defineFileMkdir,
    defineFileMove,
    defineFileRemove,
    defineFileLink,
    defineFileStat,
    defineFileDu,
  ];
  for (const define of defines) define(fs, invocation);
}
