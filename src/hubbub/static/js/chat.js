/**
 * The page `chat.html`: takes what people do to `Link`, and what `Link` tells through the store to
 * the screen.
 */

import { Api, Refusal } from "./api.js";
import { Link } from "./protocol.js";
import { rows } from "./rows.js";
import { Session } from "./session.js";
import { initial, reduce } from "./store.js";
import { composer } from "./ui/composer.js";
import { avatar, byId, say } from "./ui/dom.js";
import { conversationId, Door } from "./ui/door.js";
import { members, showConversations, showPeople } from "./ui/sidebar.js";
import { Timeline } from "./ui/timeline.js";
import * as words from "./ui/words.js";

/**
 * @typedef {import("./store.js").State} State
 * @typedef {import("./store.js").Event} Event
 */

const ECHO_WITHIN = 10_000;

const ui = {
  app: byId("app", HTMLElement),
  sidebar: byId("sidebar", HTMLElement),
  conversations: byId("conversations", HTMLElement),
  goto: byId("goto", HTMLFormElement),
  gotoId: byId("goto-id", HTMLInputElement),
  peopleSection: byId("people-section", HTMLElement),
  people: byId("people", HTMLElement),
  selfAvatar: byId("self-avatar", HTMLElement),
  selfName: byId("self-name", HTMLElement),
  logout: byId("logout", HTMLButtonElement),
  title: byId("title", HTMLElement),
  subtitle: byId("subtitle", HTMLElement),
  status: byId("status", HTMLElement),
  statusText: byId("status-text", HTMLElement),
  banner: byId("banner", HTMLElement),
  bannerText: byId("banner-text", HTMLElement),
  retry: byId("retry", HTMLButtonElement),
  talk: byId("talk", HTMLElement),
  jump: byId("jump", HTMLButtonElement),
  jumpText: byId("jump-text", HTMLElement),
  composer: byId("composer", HTMLFormElement),
  text: byId("text", HTMLTextAreaElement),
  shut: byId("shut", HTMLElement),
  shutTitle: byId("shut-title", HTMLElement),
  shutText: byId("shut-text", HTMLElement),
  switch: byId("switch", HTMLButtonElement),
};

const api = new Api(new URL("../..", import.meta.url).href);
/** @type {Session | null} */
let session = null;
/** @type {Link | null} */
let link = null;
/** @type {State} */
let state = initial;
let conversation = addressed();
/** @type {import("./api.js").Conversation[]} */
let conversations = [];
let fetchingOlder = false;
let renewed = false;
let scheduled = false;
let oldestShown = 0;
/** @type {number | undefined} */
let echoTimer;
/** @type {number | undefined} */
let ticker;

const door = new Door(api, (username, tokens, wanted) => {
  const same = session?.username === username && conversation === wanted;
  session = new Session(api, username, tokens);
  // The same person again goes on where they were, with what they had not sent yet.
  if (link && same) reopen();
  else enter(wanted, "push");
  showRoom();
});

const timeline = new Timeline(byId("log", HTMLElement), byId("rows", HTMLElement), {
  retry: (key) => dispatch({ type: "retried", key }),
  discard: (key) => dispatch({ type: "discarded", key }),
  scrolled: () => {
    attend();
    fetchOlder();
  },
});

/** The conversation the address names, else 1. */
function addressed() {
  return conversationId(new URL(location.href).searchParams.get("conversation")) ?? 1;
}

/** @param {Event} event */
function dispatch(event) {
  const before = state;
  state = reduce(state, event);
  if (state === before) return;
  flush();
  watchEchoes(before);
  if (state.link.name === "live" && before.link.name !== "live") arrived();
  if (state.link.name === "ended" && before.link.name !== "ended") ended(state.link.why);
  schedule();
}

function arrived() {
  renewed = false;
  listConversations();
  listPresent();
}

/** Document 004 tells who comes and goes, not who was there before. */
async function listPresent() {
  const from = link;
  if (!from) return;
  try {
    const people = await api.present(from.token, from.conversation);
    if (from === link) dispatch({ type: "present", people });
  } catch {
    // Then one sees who comes from now on.
  }
}

/** Sends what waits, as soon as there is a connection to send it on. */
function flush() {
  if (state.link.name !== "live") return;
  const draft = state.drafts.find(({ status }) => status === "queued");
  if (draft && link?.send(draft.content, draft.key)) dispatch({ type: "sent", key: draft.key });
}

/** @param {State} before */
function watchEchoes(before) {
  if (state.drafts === before.drafts) return;
  clearTimeout(echoTimer);
  if (!state.drafts.some(({ status }) => status === "sent")) return;
  echoTimer = setTimeout(() => {
    dispatch({ type: "overdue" });
    link?.check();
  }, ECHO_WITHIN);
}

function attend() {
  const attentive = timeline.atEnd && document.visibilityState === "visible" && document.hasFocus();
  if (attentive !== state.attentive) dispatch({ type: "attention", attentive });
}

async function fetchOlder() {
  const from = link;
  if (!from || fetchingOlder || !state.more || state.link.name !== "live" || !timeline.nearStart)
    return;
  fetchingOlder = true;
  try {
    const messages = await from.older(state.messages[0]?.id ?? 0);
    if (from === link) dispatch({ type: "older", messages, more: messages.length > 0 });
  } catch (error) {
    // Scrolling on asks again. A broken connection shows by itself.
    const expired = error instanceof Refusal && error.status === 401;
    if (expired && (await session?.renew()) && session) from.token = session.token;
  } finally {
    fetchingOlder = false;
  }
}

/** @param {import("./protocol.js").Ending} why */
async function ended(why) {
  if (why === "forbidden" || why === "unknown") {
    const { title, text } = words.shut(why, conversation, session?.username ?? "");
    say(ui.shutTitle, title);
    say(ui.shutText, text);
    listConversations();
    queueMicrotask(() => ui.shut.focus());
    return;
  }
  const from = link;
  const again = why === "expired" && !renewed && (await session?.renew());
  if (from !== link) return;
  if (again) {
    // Once: a server that refuses its own new token would be asked for ever.
    renewed = true;
    reopen();
    return;
  }
  session?.forget();
  showDoor(words.signedOut(why));
}

function reopen() {
  if (!link || !session) return;
  link.token = session.token;
  link.open();
}

/** @param {string} [problem] */
function showDoor(problem) {
  ui.app.hidden = true;
  door.show(conversation, session?.username, problem);
}

function showRoom() {
  door.hide();
  ui.app.hidden = false;
  // Where there is no mouse, focus brings up a keyboard that hides half of the conversation.
  if (matchMedia("(hover: hover)").matches) ui.text.focus();
  schedule();
}

/**
 * @param {number} id
 * @param {"push" | "replace"} how the address is noted
 */
function enter(id, how) {
  if (!session) return;
  link?.close();
  conversation = id;
  const address = new URL(location.href);
  address.searchParams.set("conversation", String(id));
  history[how === "push" && address.href !== location.href ? "pushState" : "replaceState"](
    null,
    "",
    address,
  );
  state = initial;
  timeline.clear();
  const mine = new Link(api, session.token, id, (event) => {
    if (mine === link) dispatch(event);
  });
  link = mine;
  mine.open();
  if (ui.sidebar.matches(":popover-open")) ui.sidebar.hidePopover();
  schedule();
}

/** A room is in no list of conversations, though one can be opened as if it were one. */
async function listConversations() {
  const from = link;
  if (!from) return;
  try {
    let all = await api.conversations(from.token);
    const missing = state.link.name === "live" && !all.some(({ id }) => id === from.conversation);
    if (missing) all = [await api.conversation(from.token, from.conversation), ...all];
    if (from === link) conversations = all;
  } catch {
    // The list is a convenience; the conversation itself says what is wrong.
  }
  schedule();
}

function leave() {
  link?.close();
  // Whether the server hears of it or not, this tab forgets the token.
  if (session) api.logout(session.token).catch(() => {});
  session?.forget();
  session = null;
  link = null;
  conversations = [];
  state = initial;
  timeline.clear();
  showDoor();
}

function schedule() {
  if (scheduled) return;
  scheduled = true;
  queueMicrotask(() => {
    scheduled = false;
    if (!ui.app.hidden) render();
  });
}

function render() {
  const shut = state.link.name === "ended" && /^(forbidden|unknown)$/.test(state.link.why);
  ui.talk.hidden = ui.composer.hidden = shut;
  ui.shut.hidden = !shut;
  renderFrame();
  renderLink();
  const oldest = state.messages[0]?.id ?? 0;
  // What was there before is no news to a screen reader.
  timeline.render(rows(state), !state.loaded || oldest !== oldestShown);
  oldestShown = oldest;
  ui.jump.hidden = timeline.atEnd;
  const unread = state.unread ? words.messages(state.unread) : "";
  say(ui.jumpText, unread);
  ui.jump.setAttribute("aria-label", unread || "Go to the latest message");
  attend();
  fetchOlder();
}

function renderFrame() {
  const name = session?.username ?? "";
  const current = conversations.find(({ id }) => id === conversation);
  const title = current?.title ?? `Conversation ${conversation}`;
  // Who is here is hearsay while nobody tells.
  const people = members(current, state.link.name === "live" ? state.here : new Map(), name);
  document.title = `${state.unread ? `(${state.unread}) ` : ""}${title} · Hubbub`;
  say(ui.title, title);
  say(ui.subtitle, people.length ? words.company(people) : "");
  ui.peopleSection.hidden = !people.length;
  showPeople(ui.people, people);
  showConversations(ui.conversations, conversations, conversation, (id) => enter(id, "push"));
  if (ui.selfName.textContent === name) return;
  say(ui.selfName, name);
  ui.selfAvatar.replaceChildren(avatar(name));
}

function renderLink() {
  const { tone, text } = words.status(state.link, Date.now());
  ui.status.dataset.tone = tone;
  say(ui.statusText, text);
  // Trying again is part of the same trouble: the banner stays until it is over.
  const trying = state.link.name === "connecting" && state.link.again;
  const trouble = words.trouble(state.link);
  if (!trying) {
    ui.banner.hidden = !trouble;
    say(ui.bannerText, trouble);
  }
  ui.retry.disabled = trying;
  clearTimeout(ticker);
  if (state.link.name === "waiting") ticker = setTimeout(renderLink, 250);
}

/** Not `randomUUID`: browsers have it only for https and localhost. */
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function listen() {
  composer(
    {
      form: ui.composer,
      grow: byId("grow", HTMLElement),
      text: ui.text,
      send: byId("send", HTMLButtonElement),
      counter: byId("counter", HTMLElement),
    },
    (content) => {
      timeline.toEnd();
      dispatch({ type: "written", key: newKey(), content, at: Date.now() });
    },
  );
  ui.goto.addEventListener("submit", (event) => {
    event.preventDefault();
    const id = conversationId(ui.gotoId.value);
    ui.gotoId.value = "";
    if (id) enter(id, "push");
  });
  ui.logout.addEventListener("click", leave);
  ui.switch.addEventListener("click", leave);
  ui.retry.addEventListener("click", () => link?.open());
  ui.jump.addEventListener("click", () => timeline.toEnd());
  addEventListener("popstate", () => enter(addressed(), "replace"));
  addEventListener("online", () => state.link.name === "waiting" && link?.open());
  addEventListener("offline", () => link?.check());
  addEventListener("focus", attend);
  addEventListener("blur", attend);
  document.addEventListener("visibilitychange", () => {
    attend();
    if (document.visibilityState === "visible") link?.check();
  });
  addEventListener("beforeunload", (event) => {
    if (state.drafts.length) event.preventDefault();
  });
}

listen();
session = Session.remembered(api);
if (session) {
  enter(conversation, "replace");
  showRoom();
} else {
  showDoor();
}
