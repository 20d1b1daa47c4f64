/**
 * The page `room.html`: joins the meeting its address names, by the frames of document 002, and
 * calls whoever is there.
 */

import { Api, browser, Refusal } from "./api.js";
import { Devices } from "./room/devices.js";
import { lobby } from "./room/lobby.js";
import { Meeting, possible } from "./room/meeting.js";
import { Mesh } from "./room/mesh.js";
import * as names from "./room/names.js";
import { Tiles } from "./room/tiles.js";
import * as words from "./room/words.js";
import { Session } from "./session.js";
import { Credentials } from "./ui/credentials.js";
import { byId, icon, say } from "./ui/dom.js";
import { loginFailure, signedOut } from "./ui/words.js";

/** @typedef {import("./room/meeting.js").MeetingEvent} MeetingEvent */

const NEWS_FOR = 6000;
// Who has a name says it at once.
const NAME_WITHIN = 500;

const ui = {
  door: byId("door", HTMLElement),
  lobby: byId("lobby", HTMLElement),
  meeting: byId("meeting", HTMLElement),
  status: byId("status", HTMLElement),
  statusText: byId("status-text", HTMLElement),
  banner: byId("banner", HTMLElement),
  bannerText: byId("banner-text", HTMLElement),
  retry: byId("retry", HTMLButtonElement),
  quiet: byId("quiet", HTMLElement),
  listen: byId("listen", HTMLButtonElement),
  devices: byId("devices", HTMLElement),
  stage: byId("stage", HTMLElement),
  invite: byId("invite", HTMLElement),
  inviteCopy: byId("invite-copy", HTMLButtonElement),
  link: byId("link", HTMLInputElement),
  news: byId("news", HTMLElement),
  controls: byId("controls", HTMLElement),
  microphone: byId("microphone", HTMLButtonElement),
  camera: byId("camera", HTMLButtonElement),
  copy: byId("copy", HTMLButtonElement),
  leave: byId("leave", HTMLButtonElement),
  shut: byId("shut", HTMLElement),
  shutTitle: byId("shut-title", HTMLElement),
  shutText: byId("shut-text", HTMLElement),
  shutProblem: byId("shut-problem", HTMLElement),
  again: byId("again", HTMLButtonElement),
  switch: byId("switch", HTMLButtonElement),
  new: byId("new", HTMLButtonElement),
};

const api = new Api(new URL("../..", import.meta.url).href);
const key = location.pathname.replace(/\/$/, "").split("/").at(-1) ?? "";
let session = Session.remembered(api);
/** @type {words.LinkState} */
let link = { name: "connecting", again: false };
let met = false;
/** Whether this page has ever been in the meeting, before a reload too. */
let been = history.state?.been === true;
/** What one wants to be called, empty until that is known. */
let name = "";
let renewed = false;
/** Who was logged in until the server wanted it no more. */
let lapsed = "";
/** What to do when somebody has logged in: join, or make a meeting. */
let afterLogin = begin;
/** @type {number | undefined} */
let ticker;
/** @type {number | undefined} */
let newsTimer;

const mine = new MediaStream();
const meeting = new Meeting(api, key, hear);
const devices = new Devices(navigator.mediaDevices, () => {
  showMine();
  mesh.send();
  render();
  // Who uses a device is one to play to.
  if (!ui.quiet.hidden) listenAll();
});
const mesh = new Mesh({
  connect: () => new RTCPeerConnection({ iceServers: [] }),
  newStream: () => new MediaStream(),
  tracks: () => devices.tracks,
  name: () => name,
  signal: (target, type, data) => meeting.signal(target, type, data),
  changed: render,
  world: browser,
});
const tiles = new Tiles(byId("tiles", HTMLElement), () => {
  ui.quiet.hidden = false;
});
const credentials = new Credentials(api, (username, tokens) => {
  session = new Session(api, username, tokens);
  credentials.clear();
  take(names.remembered(username) || names.tidy(username));
  enter(ui.meeting);
  afterLogin();
});

const question = lobby((chosen) => {
  take(chosen);
  join();
});

/** @param {string} chosen what one wants to be called from now on */
function take(chosen) {
  name = chosen;
  names.remember(session?.username ?? "", name);
}

/** @param {MeetingEvent} event */
function hear(event) {
  switch (event.type) {
    case "connecting":
      link = { name: "connecting", again: met };
      break;
    case "connected":
      arrive(event.id);
      break;
    case "joined":
      if (mesh.joined(event.id)) setTimeout(() => greet(event.id), NAME_WITHIN);
      else tell(words.joined(""));
      break;
    case "left": {
      const name = mesh.left(event.id);
      if (name) tell(words.left(name, mesh.people.size));
      break;
    }
    case "signal":
      mesh.signal(event.from, event.signal, event.data);
      break;
    case "full":
      // Whoever has a call is in the meeting, whatever one of the others says.
      if (![...mesh.people.values()].some(({ peer }) => peer.phase === "connected")) end("full");
      break;
    case "waiting":
      link = { name: "waiting", until: event.until, why: event.why };
      break;
    case "ended":
      if (event.why === "expired") expire(join);
      else if (event.why === "over") miss();
      else end(event.why);
      break;
  }
  render();
}

/** There is no meeting any more, or never was. */
function miss() {
  end(been ? "over" : "unknown");
}

/** @param {string} id of somebody who has come, and may have gone again */
function greet(id) {
  const person = mesh.people.get(id);
  if (person) tell(words.joined(person.name));
}

/** @param {string} id */
function arrive(id) {
  link = { name: "live" };
  renewed = false;
  been = true;
  history.replaceState({ been }, "");
  mesh.enter(id);
  meeting.signal(undefined, "name", { name });
  if (!met) devices.start();
  met = true;
}

/** @param {Parameters<typeof words.shut>[0]} why */
function end(why) {
  enter(ui.meeting);
  meeting.close();
  mesh.close();
  devices.stop();
  link = { name: "ended", why };
  met = false;
  if (why === "disabled") session?.forget();
  const { title, text } = words.shut(why);
  say(ui.shutTitle, title);
  say(ui.shutText, text);
  ui.shutProblem.hidden = true;
  ui.again.hidden = !(why === "gone" || why === "full");
  ui.switch.hidden = !(why === "forbidden" || why === "disabled");
  render();
  ui.shut.focus();
}

/**
 * The server wants a token, or another one.
 * @param {() => void} then
 */
async function expire(then) {
  const again = !renewed && (await session?.renew());
  if (link.name === "ended") return;
  if (again) {
    // Once: a server that refuses its own new token would be asked for ever.
    renewed = true;
    then();
    return;
  }
  if (session) {
    // Guests may be welcome.
    session.forget();
    lapsed = session.username;
    session = null;
    then();
    return;
  }
  mesh.close();
  askWho(then, lapsed ? signedOut("expired") : "", lapsed);
}

/**
 * @param {() => void} then
 * @param {string} [problem]
 * @param {string} [username]
 */
function askWho(then, problem = "", username = "") {
  afterLogin = then;
  enter(ui.door);
  credentials.start(username, problem);
}

/** @param {HTMLElement} shown the one part of the page to be seen */
function enter(shown) {
  for (const part of [ui.door, ui.lobby, ui.meeting]) part.hidden = part !== shown;
}

/** Finds out whether there is a meeting, and asks for a name before anybody sees one come. */
async function begin() {
  if (!possible(key)) return end("unknown");
  let found;
  try {
    found = await api.meeting(session?.token ?? "", key);
  } catch (error) {
    const status = error instanceof Refusal ? error.status : 0;
    if (status === 401) return expire(begin);
    if (status === 403) return end("forbidden");
    if (status === 404) return miss();
    // Anything else may pass: the socket tries again, and says what is wrong.
  }
  const username = session?.username ?? "";
  name = names.remembered(username);
  if (name) return join();
  enter(ui.lobby);
  question.show(username, found?.participant_count);
}

function join() {
  enter(ui.meeting);
  meeting.token = session?.token ?? "";
  meeting.open();
}

/** @param {boolean} [again] with a token that is as new as can be */
async function startNew(again = false) {
  ui.new.disabled = true;
  try {
    const { join_link } = await api.createMeeting(session?.token ?? "");
    location.assign(new URL(join_link, location.href));
  } catch (error) {
    const refused = error instanceof Refusal && error.status === 401;
    if (refused && !again && (await session?.renew())) return await startNew(true);
    if (refused) return askWho(startNew);
    ui.shutProblem.hidden = false;
    say(ui.shutProblem, loginFailure(error));
  } finally {
    ui.new.disabled = false;
  }
}

/** @param {string} text */
function tell(text) {
  say(ui.news, text);
  clearTimeout(newsTimer);
  newsTimer = setTimeout(() => say(ui.news, ""), NEWS_FOR);
}

/** One's own picture is the camera's, without the sound. */
function showMine() {
  const { video } = devices.tracks;
  for (const track of mine.getTracks()) if (track !== video) mine.removeTrack(track);
  if (video) mine.addTrack(video);
}

function render() {
  const ended = link.name === "ended";
  ui.shut.hidden = !ended;
  ui.stage.hidden = ui.controls.hidden = ui.news.hidden = ended;
  const { audio, video } = devices.status;
  const others = [...mesh.people].map(([id, { name, peer }]) => ({
    key: id,
    name,
    stream: peer.received,
    picture: peer.picture && peer.phase !== "connecting",
    self: false,
    muted: peer.muted,
    label: name,
    note: words.call(peer.phase, peer.slow, name),
  }));
  const muted = audio !== "on";
  const self = {
    key: "",
    name,
    label: "You",
    stream: mine,
    picture: video === "on",
    self: true,
    muted,
    note: "",
  };
  tiles.render(ended ? [] : [...others, self]);
  ui.invite.hidden = others.length > 0 || link.name !== "live";
  ui.stage.classList.toggle("alone", !ui.invite.hidden);
  const problem = ended ? "" : words.devices(audio, video);
  ui.devices.hidden = !problem;
  say(ui.devices, problem);
  if (ended || !others.length) ui.quiet.hidden = true;
  renderButton(ui.microphone, "audio", "mic");
  renderButton(ui.camera, "video", "camera");
  renderLink();
}

/**
 * @param {HTMLButtonElement} button
 * @param {"audio" | "video"} kind
 * @param {string} name of its icon
 */
function renderButton(button, kind, name) {
  const status = devices.status[kind];
  const text = words.button(kind, status);
  const label = button.lastElementChild;
  if (!label || label.textContent === text) return;
  say(label, text);
  button.disabled = status === "asking";
  button.classList.toggle("off", status !== "on" && status !== "asking");
  button.firstElementChild?.replaceWith(icon(status === "on" ? name : `${name}-off`));
}

function renderLink() {
  const { tone, text } = words.status(link, mesh.people.size, Date.now());
  ui.status.dataset.tone = tone;
  say(ui.statusText, text);
  // Trying again is part of the same trouble: the banner stays until it is over.
  const trying = link.name === "connecting" && link.again;
  if (!trying) {
    const trouble = words.trouble(link, navigator.onLine);
    ui.banner.hidden = !trouble;
    say(ui.bannerText, trouble);
  }
  ui.retry.disabled = trying;
  clearTimeout(ticker);
  if (link.name === "waiting") ticker = setTimeout(renderLink, 250);
}

function listenAll() {
  ui.quiet.hidden = true;
  tiles.play();
}

async function copy() {
  await navigator.clipboard.writeText(ui.link.value);
  tell("The link is copied.");
}

function listen() {
  ui.link.value = location.href;
  ui.link.addEventListener("focus", () => ui.link.select());
  // Browsers have a clipboard only for https and localhost.
  ui.copy.hidden = ui.inviteCopy.hidden = !navigator.clipboard;
  ui.copy.addEventListener("click", copy);
  ui.inviteCopy.addEventListener("click", copy);
  ui.microphone.addEventListener("click", () => devices.toggle("audio"));
  ui.camera.addEventListener("click", () => devices.toggle("video"));
  ui.leave.addEventListener("click", () => end(mesh.people.size ? "gone" : "last"));
  ui.again.addEventListener("click", join);
  ui.switch.addEventListener("click", () => askWho(begin));
  ui.new.addEventListener("click", () => startNew());
  ui.retry.addEventListener("click", () => meeting.open());
  ui.listen.addEventListener("click", listenAll);
  addEventListener("online", () => link.name === "waiting" && meeting.open());
}

listen();
// A picture that has not begun would keep the page loading for ever.
if (document.readyState === "complete") begin();
else addEventListener("load", begin, { once: true });
