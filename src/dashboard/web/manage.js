/** The page of what can be done: who may not act yet signs in. What comes from the cluster is text, never markup. */
import { card, safe } from "./parts.js";

const state = { canSignIn: false, mayAct: false, said: "", isBad: false };

export async function refreshWho() {
  Object.assign(state, await (await fetch("api/who")).json());
}

export function managePage({ status }) {
  const said = `<p id="said" role="status" class="${state.isBad ? "bad" : "good"}">${safe(state.said)}</p>`;
  if (!state.mayAct) return card("Sign in", `${signIn()}${said}`, "wide");
  const servers = status.chunkServers.filter((server) => server.status !== "dropped");
  const options = servers.map(({ csId }) => `<option value="${csId}">CS#${csId}</option>`).join("");
  const form = (type, title, help, fields, button) =>
    card(
      title,
      `<p class="soft">${help}</p><form class="act" data-type="${type}">${fields}<button>${button}</button></form>`,
      "wide",
    );
  const server = (more) => `<label>Chunk server<select name="csId">${more}${options}</select></label>`;
  const text = (name, title) => `<label>${title}<input type="text" name="${name}" required></label>`;
  return [
    card(
      "Signed in",
      `${said}<form class="act" data-type="sign-out"><button>Sign out</button></form>`,
      "wide",
    ),
    form(
      "scrub",
      "Read everything again",
      "Finds what rotted on the disks, and mends it.",
      server('<option value="0">all</option>'),
      "Begin",
    ),
    form(
      "release",
      "Release a chunk server",
      "Its data are copied elsewhere, then it is forgotten.",
      server(""),
      "Release",
    ),
    form(
      "keep",
      "Stop a release",
      "What was copied stays; the chunk server is used again.",
      server(""),
      "Keep",
    ),
    form(
      "set-config",
      "Change a setting",
      "Of the whole cluster, at once; see pstorage get-config.",
      text("name", "Name") + text("value", "Value"),
      "Change",
    ),
    form(
      "revoke",
      "Take a file from its clients",
      "For good; what they have not written back is lost.",
      text("path", "Path, from the root of the cluster"),
      "Revoke",
    ),
  ].join("");
}

function signIn() {
  if (!state.canSignIn)
    return "<p>This page only shows. To act, come from the metadata server itself (<code>ssh -L</code>) or by https to a dashboard that <code>mdsd</code> serves.</p>";
  return '<form class="act" data-type="sign-in"><label>Password of the cluster<input type="password" name="password" autocomplete="current-password" required></label><button>Sign in</button></form>';
}

const PATHS = { "sign-in": "api/sign-in", "sign-out": "api/sign-out" };

/** Sends a form of this page; resolves when there is an answer to show. */
export async function act(form) {
  const { type } = form.dataset;
  const fields = Object.fromEntries(new FormData(form));
  if (fields.csId !== undefined) fields.csId = Number(fields.csId);
  const response = await fetch(PATHS[type] ?? "api/act", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ type, ...fields }),
  });
  const answer = await response.json();
  state.isBad = !response.ok;
  state.said =
    answer.error ?? answer.said ?? (answer.mayAct ? "You may act for half an hour." : "Signed out.");
  await refreshWho();
}
