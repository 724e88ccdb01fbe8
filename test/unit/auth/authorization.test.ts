import assert from "node:assert/strict";
import { test } from "vitest";
import { type AuthorizationTable, authorize, type Role } from "../../../src/auth/index.js";
import { failureCode } from "./fixtures.js";

const TABLE: AuthorizationTable = {
  "/pstorage.Enrollment/Start": "anyone",
  "/pstorage.Metadata/Session": ["client", "mds"],
  "/pstorage.Raft/Peer": ["mds"],
};

const outcome = async (path: string, roles: readonly Role[]) => {
  try {
    authorize(TABLE, path, { roles });
    return "allowed";
  } catch (error) {
    return failureCode(() => {
      throw error;
    });
  }
};

test("a stranger may enrol and nothing else", async () => {
  assert.equal(await outcome("/pstorage.Enrollment/Start", []), "allowed");
  assert.equal(await outcome("/pstorage.Metadata/Session", []), "unauthenticated");
  assert.equal(await outcome("/pstorage.Raft/Peer", []), "unauthenticated");
});

test("any one of the roles of a method is enough and any other is not", async () => {
  assert.equal(await outcome("/pstorage.Metadata/Session", ["client"]), "allowed");
  assert.equal(await outcome("/pstorage.Metadata/Session", ["cs", "mds"]), "allowed");
  assert.equal(await outcome("/pstorage.Metadata/Session", ["cs", "admin"]), "unauthorized");
  assert.equal(await outcome("/pstorage.Raft/Peer", ["client"]), "unauthorized");
});

test("a method that nobody listed may be called by nobody", async () => {
  for (const path of ["/pstorage.New/Call", "toString", "__proto__", "constructor", ""]) {
    assert.equal(await outcome(path, ["admin", "client", "cs", "mds"]), "unauthorized", path);
    assert.equal(await outcome(path, []), "unauthenticated", path);
  }
});
