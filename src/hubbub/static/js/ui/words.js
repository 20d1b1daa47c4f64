/**
 * What the page says about errors, connections and times, in sentences for people.
 */

import { Refusal, Unreachable } from "../api.js";

/** @typedef {import("../store.js").State} State */

const time = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });
const thisYear = new Intl.DateTimeFormat(undefined, {
  weekday: "long",
  day: "numeric",
  month: "long",
});
const otherYear = new Intl.DateTimeFormat(undefined, { dateStyle: "long" });

/** @param {Date} at */
export function clock(at) {
  return time.format(at);
}

/** @param {Date} at */
export function moment(at) {
  return full.format(at);
}

/**
 * @param {Date} at
 * @param {Date} now
 */
export function day(at, now = new Date()) {
  const yesterday = new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1);
  if (at.toDateString() === now.toDateString()) return "Today";
  if (at.toDateString() === yesterday.toDateString()) return "Yesterday";
  return (at.getFullYear() === now.getFullYear() ? thisYear : otherYear).format(at);
}

/** @param {number} seconds */
function wait(seconds) {
  if (seconds <= 0) return "in a while";
  if (seconds < 90) return `in ${Math.ceil(seconds)} seconds`;
  return `in ${Math.ceil(seconds / 60)} minutes`;
}

/** @param {number} count */
export function messages(count) {
  return count === 1 ? "1 new message" : `${count} new messages`;
}

/**
 * @param {import("./sidebar.js").Member[]} people
 * @returns {string} everybody in a conversation, oneself last
 */
export function company(people) {
  const others = people.filter(({ self }) => !self).map(({ name }) => name);
  return [...others.sort((one, other) => one.localeCompare(other)), "you"].join(", ");
}

/**
 * Why logging in failed.
 * @param {unknown} error
 */
export function loginFailure(error) {
  if (error instanceof Unreachable) {
    return navigator.onLine
      ? "The server cannot be reached. Check that it is running, then try again."
      : "You are offline. Check your network, then try again.";
  }
  if (!(error instanceof Refusal)) throw error;
  if (error.status === 401) return "Wrong username or password. Check both and try again.";
  if (error.status === 429) return `Too many attempts. Try again ${wait(error.retryAfter)}.`;
  if (error.status >= 500)
    return `The server had a problem (${error.status}). Try again in a moment.`;
  return error.message || `The server refused (${error.status}).`;
}

/**
 * Why no account was made.
 * @param {unknown} error
 */
export function registerFailure(error) {
  if (!(error instanceof Refusal)) return loginFailure(error);
  if (error.status === 403) return "Accounts are made by the administrators here. Ask one of them.";
  if (error.status === 409) return "This username is taken. Choose another one.";
  if (error.status !== 422) return loginFailure(error);
  const [first = "", ...rest] = error.message || "this does not work";
  return `${first.toUpperCase()}${rest.join("")}.`;
}

/**
 * Why somebody is at the door again.
 * @param {import("../protocol.js").Ending} why
 */
export function signedOut(why) {
  return why === "disabled"
    ? "This account is disabled or no longer exists."
    : "Your session has expired. Log in again to go on.";
}

/**
 * Why a conversation does not open.
 * @param {"forbidden" | "unknown"} why
 * @param {number} conversation
 * @param {string} name the caller's
 * @returns {{ title: string, text: string }}
 */
export function shut(why, conversation, name) {
  return why === "unknown"
    ? {
        title: `There is no conversation ${conversation}`,
        text: "Check the number, or open another conversation.",
      }
    : {
        title: "You are not in this conversation",
        text:
          `${name} is not a participant of conversation ${conversation}. ` +
          "Open another one, or log in as somebody who is.",
      };
}

/**
 * @param {State["link"]} link
 * @param {number} now milliseconds
 * @returns {{ tone: "live" | "busy" | "down", text: string }} for a label that is always there
 */
export function status(link, now) {
  switch (link.name) {
    case "live":
      return { tone: "live", text: "Live" };
    case "connecting":
      return { tone: "busy", text: link.again ? "Reconnecting…" : "Connecting…" };
    case "waiting":
      return {
        tone: "down",
        text: `Reconnecting in ${Math.max(1, Math.ceil((link.until - now) / 1000))} s`,
      };
    case "ended":
      // An expired session is renewed; only if that fails one is asked to log in.
      if (link.why === "expired") return { tone: "busy", text: "Reconnecting…" };
      return { tone: "down", text: link.why === "disabled" ? "Signed out" : "Not connected" };
  }
}

const KEPT = "What you write now is sent as soon as it is back.";

/**
 * @param {State["link"]} link
 * @returns {string} what is wrong and what happens to messages; empty when all is well
 */
export function trouble(link) {
  if (link.name !== "waiting") return "";
  if (!navigator.onLine) return `You are offline. ${KEPT.replace("it is", "you are")}`;
  switch (link.why) {
    case "restart":
      return "The server is restarting. What you write now is sent when it is up again.";
    case "crowded":
      return "Too many connections are open. Close other tabs; this one keeps trying.";
    case "flooded":
      return "The server closed the connection because messages came too fast.";
    case "lost":
      return `The connection is lost. ${KEPT}`;
  }
}
