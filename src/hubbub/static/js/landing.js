/**
 * The page `index.html`: fits its examples to this server, makes them easy to take along, and
 * starts meetings.
 */

import { Api, Refusal } from "./api.js";
import { Session } from "./session.js";
import { Credentials } from "./ui/credentials.js";
import { byId, say } from "./ui/dom.js";
import { loginFailure } from "./ui/words.js";

const base = new URL("../..", import.meta.url);
const api = new Api(base.href);
let session = Session.remembered(api);
const door = byId("door", HTMLDialogElement);
const credentials = new Credentials(api, (username, tokens) => {
  session = new Session(api, username, tokens);
  door.close();
  meet();
});

/** @param {Record<string, string>} values by the name of the place */
function fill(values) {
  for (const place of document.querySelectorAll("[data-fill]")) {
    const value = values[place.getAttribute("data-fill") ?? ""];
    if (value !== undefined) say(place, value);
  }
}

/** @param {HTMLElement} article with a button and the code it copies */
function copyable(article) {
  const button = article.querySelector("button");
  const code = article.querySelector("pre code");
  // Browsers have a clipboard only for https and localhost.
  if (!button || !code || !navigator.clipboard) return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(code.textContent ?? "");
    say(button, "Copied");
    setTimeout(() => say(button, "Copy"), 2000);
  });
}

async function health() {
  const running = byId("running", HTMLElement);
  try {
    const { dev } = await api.health();
    byId("samples", HTMLElement).hidden = !dev;
    if (!dev) fill({ username: "your username", password: "your password" });
    running.dataset.tone = "live";
    say(running, dev ? "Running, in development mode" : "Running");
  } catch {
    running.dataset.tone = "down";
    say(running, "This server does not answer at the moment");
  }
}

/** @param {boolean} [again] with a token that is as new as can be */
async function meet(again = false) {
  const problem = byId("meet-problem", HTMLElement);
  say(problem, "");
  try {
    const { join_link } = await api.createMeeting(session?.token ?? "");
    location.assign(new URL(join_link, location.href));
  } catch (error) {
    const refused = error instanceof Refusal && error.status === 401;
    if (refused && !again && (await session?.renew())) return await meet(true);
    if (!refused) return say(problem, loginFailure(error));
    door.showModal();
    credentials.start(session?.username);
  }
}

byId("meet", HTMLButtonElement).addEventListener("click", () => meet());
byId("cancel", HTMLButtonElement).addEventListener("click", () => door.close());
door.addEventListener("close", () => credentials.clear());
const address = base.href.replace(/\/$/, "");
fill({ http: address, ws: address.replace(/^http/, "ws") });
document.querySelectorAll("article").forEach(copyable);
health();
