/**
 * What people are called in a meeting. The server names only connections; people tell one another
 * the rest, and nobody vouches for it.
 */

const KEY = "hubbub.name";
const MOST = 40;

// Document 002 makes these up; others are the names people have in other protocols.
const MADE_UP = /^([0-9a-f]{4})[0-9a-f]{4}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

/**
 * @param {unknown} said by anybody
 * @returns {string} something to show as one short line of text, empty when there is nothing
 */
export function tidy(said) {
  if (typeof said !== "string") return "";
  const line = said.slice(0, 10 * MOST).replace(INVISIBLE, " ").replace(/\s+/g, " ").trim();
  return [...line].slice(0, MOST).join("").trim();
}

/**
 * @param {string} id of somebody who has told no name
 * @returns {string} the same for everybody who sees them
 */
export function unnamed(id) {
  const start = MADE_UP.exec(id)?.[1];
  return start ? `Guest ${start}` : tidy(id) || "Guest";
}

/**
 * @param {string} name
 * @returns {string} one or two letters
 */
export function initials(name) {
  const words = name.split(" ").filter(Boolean);
  const ends = words.length > 1 ? [words[0], words.at(-1)] : [words[0]];
  return ends.map((word) => [...(word ?? "?")][0]).join("").toUpperCase();
}

/**
 * @param {string} username of who is logged in, empty for a guest
 * @returns {string} the name that they gave in this tab, empty when they gave none
 */
export function remembered(username) {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
    return kept?.username === username ? tidy(kept.name) : "";
  } catch {
    return "";
  }
}

/**
 * For a reload, and for other meetings in this tab.
 * @param {string} username
 * @param {string} name
 */
export function remember(username, name) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ username, name }));
  } catch {
    // A browser may forbid storage; then a reload asks for the name.
  }
}
