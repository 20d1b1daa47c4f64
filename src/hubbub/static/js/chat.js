/**
 * The page `chat.html`: takes what people do to `Link`, and what `Link` tells through the store to
 * the screen.
 */

import { Api } from "./api.js";
import { Link } from "./protocol.js";
import { rows } from "./rows.js";
import { initial, reduce } from "./store.js";
import { composer } from "./ui/composer.js";
import { avatar, byId, say } from "./ui/dom.js";
import { members, showConversations, showPeople } from "./ui/sidebar.js";
import { Timeline } from "./ui/timeline.js";
import * as words from "./ui/words.js";

/**
 * @typedef {import("./store.js").State} State
 * @typedef {import("./store.js").Event} Event
 * @typedef {{ username: string, token: string }} Session
 */

const SESSION = "hubbub.session";
const ECHO_WITHIN = 10_000;
const DEV_USER = "testuser";
const DEV_PASSWORD = "TestPassword123";

const api = new Api(new URL("../..", import.meta.url).href);
const ui = {
  door: byId("door", HTMLElement),
  login: byId("login", HTMLFormElement),
  hint: byId("login-hint", HTMLElement),
  error: byId("login-error", HTMLElement),
  username: byId("username", HTMLInputElement),
  password: byId("password", HTMLInputElement),
  conversation: byId("conversation", HTMLInputElement),
  connect: byId("connect", HTMLButtonElement),
  app: byId("app", HTMLElement),
  sidebar: byId("sidebar", HTMLElement),
  conversations: byId("conversations", HTMLElement),
  goto: byId("goto", HTMLFormElement),
  gotoId: byId("goto-id", HTMLInputElement),
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
  log: byId("log", HTMLElement),
  rows: byId("rows", HTMLElement),
  jump: byId("jump", HTMLButtonElement),
  jumpText: byId("jump-text", HTMLElement),
  composer: byId("composer", HTMLFormElement),
  text: byId("text", HTMLTextAreaElement),
  shut: byId("shut", HTMLElement),
  shutTitle: byId("shut-title", HTMLElement),
  shutText: byId("shut-text", HTMLElement),
  switch: byId("switch", HTMLButtonElement),
};

/** @type {Session | null} */
let session = null;
/** @type {Link | null} */
let link = null;
/** @type {State} */
let state = initial;
let conversation = 1;
/** @type {import("./api.js").Conversation[]} */
let conversations = [];
let fetchingOlder = false;
let scheduled = false;
/** @type {number | undefined} */
let echoTimer;
/** @type {number | undefined} */
let ticker;

const timeline = new Timeline(ui.log, ui.rows, {
  retry: (key) => dispatch({ type: "retried", key }),
  discard: (key) => dispatch({ type: "discarded", key }),
  scrolled: () => {
    attend();
    older();
  },
});

/** @param {Event} event */
function dispatch(event) {
  const before = state;
  state = reduce(state, event);
  if (state === before) return;
  flush();
  watchEchoes(before);
  if (state.link.name === "ended" && before.link.name !== "ended") ended(state.link.why);
  schedule();
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

async function older() {
  const first = state.messages[0]?.id;
  const from = link;
  if (!from || fetchingOlder || !state.more || state.link.name !== "live" || !timeline.nearStart) return;
  fetchingOlder = true;
  try {
    const messages = await from.older(first);
    if (from === link) dispatch({ type: "older", messages, more: messages.length > 0 });
  } catch {
    // Scrolling on asks again; a broken connection shows by itself.
  } finally {
    fetchingOlder = false;
  }
}

/** @param {import("./protocol.js").Ending} why */
function ended(why) {
  if (why === "forbidden" || why === "unknown") {
    const { title, text } = words.shut(why, conversation, session?.username ?? "");
    say(ui.shutTitle, title);
    say(ui.shutText, text);
    queueMicrotask(() => ui.shut.focus());
    return;
  }
  remember(null);
  showDoor(words.signedOut(why));
}

/** @param {string} [problem] */
function showDoor(problem = "") {
  ui.app.hidden = true;
  ui.door.hidden = false;
  document.title = "Hubbub";
  fail(problem);
  (ui.username.value ? ui.password : ui.username).focus();
}

/** @param {string} problem empty for none */
function fail(problem) {
  ui.error.hidden = !problem;
  say(ui.error, problem);
}

async function login() {
  const username = ui.username.value.trim();
  const wanted = Number(ui.conversation.value);
  if (!username || !ui.password.value) return fail("Enter your username and your password.");
  if (!Number.isSafeInteger(wanted) || wanted < 1) return fail("The conversation ID is a number, such as 1.");
  ui.connect.disabled = true;
  fail("");
  try {
    const token = await api.login(username, ui.password.value);
    const same = session?.username === username && conversation === wanted;
    session = { username, token };
    remember(session);
    if (link && same) goOn(token);
    else enter(wanted, "push");
  } catch (error) {
    fail(words.loginFailure(error));
    ui.password.select();
  } finally {
    ui.connect.disabled = false;
  }
}

/** The same person again, where they were: what they had not sent yet is still there. */
function goOn(/** @type {string} */ token) {
  showRoom();
  link?.open(token);
}

function showRoom() {
  ui.door.hidden = true;
  ui.app.hidden = false;
  ui.password.value = "";
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
  history[how === "push" && address.href !== location.href ? "pushState" : "replaceState"](null, "", address);
  state = initial;
  timeline.clear();
  const mine = new Link(api, session.token, id, (event) => {
    if (mine === link) dispatch(event);
  });
  link = mine;
  showRoom();
  mine.open();
  listConversations();
}

async function listConversations() {
  if (!session) return;
  try {
    conversations = await api.conversations(session.token);
    schedule();
  } catch {
    // The list is a convenience; the conversation itself says what is wrong.
  }
}

/** @param {Session | null} kept for as long as this tab lives; null for none */
function remember(kept) {
  try {
    sessionStorage.setItem(SESSION, JSON.stringify(kept));
  } catch {
    // A browser may forbid storage; then a reload asks for the password again.
  }
}

function leave() {
  link?.close();
  link = null;
  session = null;
  conversations = [];
  state = initial;
  timeline.clear();
  remember(null);
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

let olderShown = 0;

function render() {
  const current = conversations.find(({ id }) => id === conversation);
  const title = current?.title ?? `Conversation ${conversation}`;
  const people = members(current, state.here, session?.username ?? "");
  const shut = state.link.name === "ended";
  say(ui.title, title);
  say(ui.subtitle, words.company(people));
  showConversations(ui.conversations, conversations, conversation, (id) => enter(id, "push"));
  showPeople(ui.people, people);
  if (ui.selfName.textContent !== session?.username) {
    say(ui.selfName, session?.username ?? "");
    ui.selfAvatar.replaceChildren(avatar(session?.username ?? ""));
  }
  ui.talk.hidden = ui.composer.hidden = shut;
  ui.shut.hidden = !shut;
  renderLink();
  const first = state.messages[0]?.id ?? 0;
  timeline.render(rows(state), !state.loaded || first !== olderShown);
  olderShown = first;
  ui.jump.hidden = timeline.atEnd;
  say(ui.jumpText, state.unread ? words.messages(state.unread) : "");
  ui.jump.setAttribute("aria-label", state.unread ? words.messages(state.unread) : "Go to the latest message");
  document.title = `${state.unread ? `(${state.unread}) ` : ""}${title} · Hubbub`;
  attend();
  older();
}

function renderLink() {
  const { tone, text } = words.status(state.link, Date.now());
  ui.status.dataset.tone = tone;
  say(ui.statusText, text);
  const trouble = words.trouble(state.link);
  // Trying again is part of the same trouble: the banner stays until it is over.
  const trying = state.link.name === "connecting" && state.link.again;
  if (!trying) {
    ui.banner.hidden = !trouble;
    say(ui.bannerText, trouble);
  }
  ui.retry.disabled = trying;
  clearTimeout(ticker);
  if (state.link.name === "waiting") ticker = setTimeout(renderLink, 250);
}

/** @returns {Session | null} */
function remembered() {
  try {
    return JSON.parse(sessionStorage.getItem(SESSION) ?? "null");
  } catch {
    return null;
  }
}

/** The conversation the address names, else 1. */
function addressed() {
  const id = Number(new URL(location.href).searchParams.get("conversation") ?? 1);
  return Number.isSafeInteger(id) && id > 0 ? id : 1;
}

async function prefill() {
  ui.conversation.value = String(addressed());
  try {
    const { dev } = await api.health();
    if (!dev) return;
    ui.hint.hidden = false;
    if (ui.username.value || ui.password.value) return;
    ui.username.value = DEV_USER;
    ui.password.value = DEV_PASSWORD;
  } catch {
    // Said when logging in, if it still is so.
  }
}

/** Not `randomUUID`: browsers have it only for https and localhost. */
function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function start() {
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
  ui.login.addEventListener("submit", (event) => {
    event.preventDefault();
    login();
  });
  ui.goto.addEventListener("submit", (event) => {
    event.preventDefault();
    const id = Number(ui.gotoId.value);
    ui.gotoId.value = "";
    if (Number.isSafeInteger(id) && id > 0) enter(id, "push");
    if (ui.sidebar.matches(":popover-open")) ui.sidebar.hidePopover();
  });
  ui.logout.addEventListener("click", leave);
  ui.switch.addEventListener("click", leave);
  ui.retry.addEventListener("click", () => link?.open());
  ui.jump.addEventListener("click", () => timeline.toEnd());
  addEventListener("popstate", () => session && enter(addressed(), "replace"));
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
  prefill();
  session = remembered();
  if (session) {
    ui.username.value = session.username;
    enter(addressed(), "replace");
  } else {
    showDoor();
  }
}

start();
