import { execFile } from "node:child_process";
import { storageError } from "../../base/index.js";

/** The number of a user, given by name or number. Throws `invalid` if there is none. */
export function findUser(text: string): Promise<number> {
  return find("passwd", text, `there is no user "${text}"`);
}

/** The number of a group, given by name or number. Throws `invalid` if there is none. */
export function findGroup(text: string): Promise<number> {
  return find("group", text, `there is no group "${text}"`);
}

/** Asks whatever this machine has its accounts from. */
function find(database: string, text: string, complaint: string): Promise<number> {
  if (/^\d{1,10}$/.test(text) && Number(text) < 2 ** 32 - 1) return Promise.resolve(Number(text));
  return new Promise((resolve, reject) => {
    execFile("getent", [database, "--", text], (error, output) => {
      const number = /^[^:]*:[^:]*:(\d+):/.exec(output)?.[1];
      if (error === null && number !== undefined) resolve(Number(number));
      else reject(storageError("invalid", complaint));
    });
  });
}
