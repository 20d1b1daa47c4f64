/**
 * The lines of the conversation as they stand on the screen, from a `State`. Pure.
 */

/**
 * @typedef {import("./store.js").State} State
 *
 * @typedef {object} MessageRow
 * @property {"message"} kind
 * @property {string} key
 * @property {boolean} mine
 * @property {string} sender
 * @property {number} senderId
 * @property {string} content
 * @property {Date} at
 * @property {boolean} first of a group by one sender
 * @property {boolean} last of it
 * @property {"received" | "queued" | "sent" | "failed"} status
 * @property {string} [reason] of a failure
 *
 * @typedef {(
 *   | { kind: "beginning", key: string }
 *   | { kind: "day", key: string, at: Date }
 *   | { kind: "unread", key: string }
 *   | { kind: "note", key: string, text: string }
 *   | MessageRow
 * )} Row
 */

const GROUP = 5 * 60_000;
const WORDS = { joined: "joined", left: "left", returned: "reconnected" };

/**
 * @param {State} state
 * @returns {Row[]} with keys that stay with their row
 */
export function rows(state) {
  /** @type {Row[]} */
  const out = [];
  if (state.loaded && !state.more) out.push({ kind: "beginning", key: "beginning" });
  let day = "";
  let noted = 0;
  /** @param {number} after */
  const notesUpTo = (after) => {
    while (noted < state.notes.length && state.notes[noted].after <= after) {
      const { key, name, what } = state.notes[noted];
      out.push({ kind: "note", key, text: `${name} ${WORDS[what]}` });
      noted += 1;
    }
  };
  notesUpTo(0);
  for (const message of state.messages) {
    const row = received(state, message);
    const today = row.at.toDateString();
    if (today !== day) out.push({ kind: "day", key: `d${message.id}`, at: row.at });
    day = today;
    if (message.id === state.unreadFrom) out.push({ kind: "unread", key: "unread" });
    out.push(row);
    notesUpTo(message.id);
  }
  notesUpTo(Infinity);
  // No day of its own for a draft: it has the writer's clock, which may be wrong.
  for (const draft of state.drafts) out.push(written(state, draft));
  return grouped(out);
}

/**
 * @param {string} text `2025-11-22 10:30:00` in UTC, or RFC 3339
 */
export function instant(text) {
  const iso = text.replace(" ", "T");
  return new Date(/Z|[+-]\d\d:\d\d$/.test(iso) ? iso : `${iso}Z`);
}

/**
 * @param {State} state
 * @param {import("./store.js").Kept} message
 * @returns {MessageRow}
 */
function received(state, message) {
  return {
    kind: "message",
    key: message.key,
    mine: message.sender_id === state.me,
    sender: message.sender_name,
    senderId: message.sender_id,
    content: message.content,
    at: instant(message.created_at),
    first: true,
    last: true,
    status: "received",
  };
}

/**
 * @param {State} state
 * @param {import("./store.js").Draft} draft
 * @returns {MessageRow}
 */
function written(state, draft) {
  return {
    kind: "message",
    key: draft.key,
    mine: true,
    sender: "",
    senderId: state.me ?? 0,
    content: draft.content,
    at: new Date(draft.at),
    first: true,
    last: true,
    status: draft.status,
    reason: draft.reason,
  };
}

/**
 * Joins neighbouring messages of one sender, a few minutes apart at most, into groups.
 * @param {Row[]} list
 * @returns {Row[]}
 */
function grouped(list) {
  for (let at = 1; at < list.length; at += 1) {
    const before = list[at - 1];
    const row = list[at];
    if (before.kind !== "message" || row.kind !== "message") continue;
    const together =
      before.senderId === row.senderId &&
      row.at.getTime() - before.at.getTime() < GROUP &&
      before.status !== "failed";
    if (!together) continue;
    row.first = false;
    before.last = false;
  }
  return list;
}
