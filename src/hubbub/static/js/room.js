/**
 * The page `room.html`: joins the meeting its address names, by the frames of document 002, and
 * calls whoever is there.
 */

import { Api, browser, Refusal } from "./api.js";
import { Devices } from "./room/devices.js";
import { login } from "./room/login.js";
import { Meeting } from "./room/meeting.js";
import { Mesh } from "./room/mesh.js";
import { Tiles } from "./room/tiles.js";
import * as words from "./room/words.js";
import { Session } from "./session.js";
import { byId, icon, say } from "./ui/dom.js";
import { loginFailure, signedOut } from "./ui/words.js";

/** @typedef {import("./room/meeting.js").MeetingEvent} MeetingEvent */

const NEWS_FOR = 6000;

const ui = {
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
let renewed = false;
/** Who was logged in until the server wanted it no more. */
let lapsed = "";
/** What to do when somebody has logged in: join, or make a meeting. */
let afterLogin = join;
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
  signal: (target, type, data) => meeting.signal(target, type, data),
  changed: render,
  world: browser,
});
const tiles = new Tiles(byId("tiles", HTMLElement), () => {
  ui.quiet.hidden = false;
});
const door = login(api, (username, tokens) => {
  session = new Session(api, username, tokens);
  ui.meeting.hidden = false;
  afterLogin();
});

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
      tell(words.joined(mesh.joined(event.id)));
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
      if (event.why === "expired") expire();
      else end(event.why);
      break;
  }
  render();
}

/** @param {string} id */
function arrive(id) {
  link = { name: "live" };
  renewed = false;
  mesh.enter(id);
  if (!met) devices.start();
  met = true;
}

/** @param {"over" | "forbidden" | "disabled" | "full" | "gone"} why */
function end(why) {
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

/** The server wants a token, or another one. */
async function expire() {
  const again = !renewed && (await session?.renew());
  if (link.name === "ended") return;
  if (again) {
    // Once: a server that refuses its own new token would be asked for ever.
    renewed = true;
    join();
    return;
  }
  if (session) {
    // Guests may be welcome.
    session.forget();
    lapsed = session.username;
    session = null;
    join();
    return;
  }
  mesh.close();
  askWho(join, lapsed ? signedOut("expired") : "", lapsed);
}

/**
 * @param {() => void} then
 * @param {string} [problem]
 * @param {string} [username]
 */
function askWho(then, problem = "", username = "") {
  afterLogin = then;
  ui.meeting.hidden = true;
  door.show(username, problem);
}

function join() {
  ui.meeting.hidden = false;
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
    note: words.call(peer.phase, name),
  }));
  const muted = audio !== "on";
  const self = { key: "", name: "You", stream: mine, picture: video === "on", self: true, muted };
  tiles.render(ended ? [] : [...others, { ...self, note: "" }]);
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
  ui.leave.addEventListener("click", () => end("gone"));
  ui.again.addEventListener("click", join);
  ui.switch.addEventListener("click", () => askWho(join));
  ui.new.addEventListener("click", () => startNew());
  ui.retry.addEventListener("click", () => meeting.open());
  ui.listen.addEventListener("click", listenAll);
  addEventListener("online", () => link.name === "waiting" && meeting.open());
}

listen();
// A picture that has not begun would keep the page loading for ever.
if (document.readyState === "complete") join();
else addEventListener("load", join, { once: true });
