/**
 * What the meeting says about devices, calls and connections, in sentences for people.
 */

import { MOST } from "./mesh.js";

/**
 * @typedef {import("./devices.js").Status} Status
 * @typedef {import("./meeting.js").Ending} Ending
 * @typedef {import("./meeting.js").Interruption} Interruption
 * @typedef {"unknown" | "full" | "gone" | "last"} Leaving
 *
 * @typedef {(
 *   | { name: "connecting", again: boolean }
 *   | { name: "live" }
 *   | { name: "waiting", until: number, why: Interruption }
 *   | { name: "ended", why: Ending | Leaving }
 * )} LinkState
 */

/**
 * @param {LinkState} link
 * @param {number} others how many
 * @param {number} now milliseconds
 * @returns {{ tone: "live" | "busy" | "down", text: string }} for a label that is always there
 */
export function status(link, others, now) {
  switch (link.name) {
    case "live":
      return { tone: "live", text: others ? `${others + 1} people` : "Waiting for others" };
    case "connecting":
      return { tone: "busy", text: link.again ? "Reconnecting…" : "Joining…" };
    case "waiting":
      return {
        tone: "down",
        text: `Reconnecting in ${Math.max(1, Math.ceil((link.until - now) / 1000))} s`,
      };
    case "ended":
      return { tone: "down", text: "Not in the meeting" };
  }
}

/**
 * @param {LinkState} link
 * @param {boolean} online whether the browser has a network
 * @returns {string} what is wrong with the connection to the server, empty when nothing is
 */
export function trouble(link, online) {
  if (link.name !== "waiting") return "";
  if (!online) return "You are offline. The meeting goes on when you are back.";
  switch (link.why) {
    case "restart":
      return "The server is restarting. The meeting goes on when it is up again.";
    case "crowded":
      return "Too many connections are open. Close other tabs; this one keeps trying.";
    case "flooded":
      return "The server closed the connection because this page sent too much.";
    case "slow":
      return "Your network is too slow to keep up. Trying again.";
    case "lost":
      return "The connection to the server is lost. Trying again.";
  }
}

/** @param {string[]} parts */
function sentence(...parts) {
  return parts.filter(Boolean).join(" ");
}

/**
 * @param {Status} audio the microphone
 * @param {Status} video the camera
 * @returns {string} why one is not heard or seen, empty when nothing is wrong
 */
export function devices(audio, video) {
  const both = audio === video;
  if (both && audio === "insecure") {
    return (
      "You can only listen: browsers give the camera and microphone to pages of https and of " +
      "localhost alone."
    );
  }
  if (both && audio === "denied") {
    return (
      "You can only listen: the browser does not allow the camera and microphone. Allow them " +
      "in its address bar, then press the buttons below."
    );
  }
  if (both && audio === "missing") return "You can only listen: there is no camera or microphone.";
  return sentence(device("microphone", audio), device("camera", video));
}

/**
 * @param {string} name
 * @param {Status} status
 */
function device(name, status) {
  switch (status) {
    case "denied":
      return `The browser does not allow the ${name}. Allow it in its address bar.`;
    case "missing":
      return `There is no ${name}.`;
    case "busy":
      return `The ${name} does not start. Another program may be using it.`;
    case "insecure":
      return `The ${name} needs https.`;
    default:
      return "";
  }
}

/**
 * @param {"audio" | "video"} kind
 * @param {Status} status
 * @returns {string} what its button does
 */
export function button(kind, status) {
  const name = kind === "audio" ? "microphone" : "camera";
  if (status === "asking") return `Waiting for the ${name}`;
  if (kind === "audio") {
    if (status === "on") return "Mute";
    return status === "off" ? "Unmute" : "Mic on";
  }
  return status === "on" ? "Camera off" : "Camera on";
}

/**
 * @param {import("./peer.js").Phase} phase
 * @param {boolean} slow
 * @param {string} name
 * @returns {string} what is wrong with the call to somebody, empty when nothing is
 */
export function call(phase, slow, name) {
  switch (phase) {
    case "connecting":
      return slow ? `Still connecting to ${name}… A firewall may be in the way.` : "Connecting…";
    case "connected":
      return "";
    case "interrupted":
      return "Connection lost. Trying again…";
    case "failed":
      return `No connection to ${name}. A firewall may be in the way, or they do not answer.`;
  }
}

/**
 * @param {string} name
 * @param {number} others how many are still there
 */
export function left(name, others) {
  return others ? `${name} left.` : `${name} left. You are alone in the meeting.`;
}

/** @param {string} name empty for somebody who found no place */
export function joined(name) {
  if (name) return `${name} joined.`;
  return `Somebody could not join: this page connects ${MOST} people at most.`;
}

/**
 * @param {number} count how many are in a meeting one is about to join
 * @returns {string}
 */
export function present(count) {
  if (!count) return "Nobody is there yet.";
  return count === 1 ? "One person is there." : `${count} people are there.`;
}

/**
 * Why one is not in the meeting.
 * @param {Exclude<Ending | Leaving, "expired">} why
 * @returns {{ title: string, text: string }}
 */
export function shut(why) {
  switch (why) {
    case "over":
      return {
        title: "This meeting is over",
        text: "A meeting ends when everybody has left.",
      };
    case "unknown":
      return {
        title: "There is no such meeting",
        text: "It is over, or the link is not right. If you were sent it, ask for a new one.",
      };
    case "forbidden":
      return {
        title: "You may not enter this meeting",
        text: "Log in as somebody who may, or start a meeting of your own.",
      };
    case "disabled":
      return {
        title: "You are signed out",
        text: "This account is disabled or no longer exists.",
      };
    case "full":
      return {
        title: "This meeting is full",
        text: `It is for ${MOST} people, and they are there. Try again when somebody has left.`,
      };
    case "gone":
      return { title: "You left the meeting", text: "The others can go on without you." };
    case "last":
      return {
        title: "You left the meeting",
        text: "Nobody else was there, and a meeting ends when everybody has left.",
      };
  }
}
