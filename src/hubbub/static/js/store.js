/**
 * What the page knows of one conversation, and how each event changes it. Pure: the same state and
 * event always give the same new state; nothing is changed in place.
 */

/**
 * @typedef {import("./api.js").Message} Message
 * @typedef {import("./protocol.js").LinkEvent} LinkEvent
 *
 * @typedef {Message & { key: string }} Kept `key` is the same before and after the server has it
 *
 * @typedef {object} Draft a message the server has not shown to have
 * @property {string} key also the `client_id`
 * @property {string} content
 * @property {number} at milliseconds, when it was written
 * @property {"queued" | "sent" | "failed"} status
 * @property {number} after the newest message known when it was sent: its own can only be later
 * @property {number} tries
 * @property {string} [reason] of the failure, a sentence
 *
 * @typedef {object} Note somebody came or went
 * @property {string} key
 * @property {number} after the message it follows, 0 for none
 * @property {number} userId
 * @property {string} name
 * @property {"joined" | "left" | "returned"} what
 *
 * @typedef {(
 *   | { name: "connecting", again: boolean }
 *   | { name: "live" }
 *   | { name: "waiting", until: number, why: import("./protocol.js").Interruption }
 *   | { name: "ended", why: import("./protocol.js").Ending }
 * )} LinkState
 *
 * @typedef {object} State
 * @property {number | null} me the caller's user id, once the server has said it
 * @property {LinkState} link
 * @property {boolean} loaded the first history is here
 * @property {Kept[]} messages by rising id, with no gap between the first and the last
 * @property {boolean} more there are older ones
 * @property {Draft[]} drafts in the order they were written
 * @property {{ count: number, text: string }} refusals not yet known to belong to a draft
 * @property {Note[]} notes
 * @property {ReadonlyMap<number, string>} here names of those known to be connected; the caller's
 *   is "" until the server has said it
 * @property {boolean} attentive the newest message is on the screen of somebody
 * @property {number} unread messages that came since nobody was looking
 * @property {number | null} unreadFrom the first of them; stays for the eye after they were read
 *
 * @typedef {(
 *   | LinkEvent
 *   | { type: "present", people: { id: number, name: string }[] }
 *   | { type: "older", messages: Message[], more: boolean }
 *   | { type: "written", key: string, content: string, at: number }
 *   | { type: "sent", key: string }
 *   | { type: "overdue" }
 *   | { type: "retried", key: string }
 *   | { type: "discarded", key: string }
 *   | { type: "attention", attentive: boolean }
 * )} Event
 */

// What breaks the connection each time it is sent must not do so for ever.
const TRIES = 3;
const NOTES = 50;
const UNCONFIRMED = "The server did not confirm it.";

/** @type {State} */
export const initial = {
  me: null,
  link: { name: "connecting", again: false },
  loaded: false,
  messages: [],
  more: false,
  drafts: [],
  refusals: { count: 0, text: "" },
  notes: [],
  here: new Map(),
  attentive: true,
  unread: 0,
  unreadFrom: null,
};

/**
 * @param {State} state
 * @param {Event} event
 * @returns {State}
 */
export function reduce(state, event) {
  switch (event.type) {
    case "connecting":
      return { ...state, link: { name: "connecting", again: state.loaded } };
    case "connected":
      return { ...state, me: event.userId, here: new Map([[event.userId, ""]]) };
    case "latest":
      return { ...take(restart(state, event), event.messages), more: event.more, loaded: true };
    case "missed":
      return take(state, event.messages);
    case "message":
      return here(take(state, [event.message]), event.message.sender_id, event.message.sender_name);
    case "present":
      return { ...state, here: new Map(event.people.map(({ id, name }) => [id, name])) };
    case "older":
      return { ...take(state, event.messages), more: event.more };
    case "live":
      return { ...requeue(state), link: { name: "live" } };
    case "waiting":
      return { ...state, link: { name: "waiting", until: event.until, why: event.why } };
    case "ended":
      return { ...state, link: { name: "ended", why: event.why } };
    case "joined":
      return here(note(state, event.userId, event.name, "joined"), event.userId, event.name);
    case "left":
      return away(note(state, event.userId, event.name, "left"), event.userId);
    case "refused":
      return settle({ ...state, refusals: { count: state.refusals.count + 1, text: event.text } });
    case "written": {
      const { key, content, at } = event;
      const draft = {
        key,
        content,
        at,
        status: /** @type {const} */ ("queued"),
        after: 0,
        tries: 0,
      };
      return { ...state, drafts: [...state.drafts, draft], unreadFrom: null };
    }
    case "sent":
      return redraft(state, event.key, (draft) => ({
        ...draft,
        status: "sent",
        after: newest(state),
        tries: draft.tries + 1,
      }));
    case "overdue":
      // Still on its way, perhaps: sending it again is for its writer to decide.
      return failSent(state, UNCONFIRMED);
    case "retried":
      return redraft(state, event.key, (draft) => ({
        ...draft,
        status: "queued",
        reason: undefined,
        tries: Math.min(draft.tries, 1),
      }));
    case "discarded":
      return { ...state, drafts: state.drafts.filter((draft) => draft.key !== event.key) };
    case "attention":
      return { ...state, attentive: event.attentive, unread: event.attentive ? 0 : state.unread };
  }
}

/** @param {State} state */
function newest(state) {
  return state.messages.at(-1)?.id ?? 0;
}

/**
 * Adds the messages that are new here, in the order of their ids.
 * @param {State} state
 * @param {Message[]} arrived
 * @returns {State}
 */
function take(state, arrived) {
  const known = new Set(state.messages.map((message) => message.id));
  const added = arrived.filter((message) => !known.has(message.id));
  if (!added.length) return state;
  const oldest = state.messages[0]?.id ?? 0;
  let drafts = state.drafts;
  const kept = added.map((message) => {
    const draft = message.sender_id === state.me ? own(drafts, message) : undefined;
    drafts = draft ? drafts.filter((other) => other !== draft) : drafts;
    return { ...message, key: draft?.key ?? `m${message.id}` };
  });
  const messages = [...state.messages, ...kept].sort((one, other) => one.id - other.id);
  return settle(
    unseen(
      { ...state, messages, drafts },
      kept.filter((message) => message.id > oldest),
    ),
  );
}

/**
 * The draft that became `message`. This protocol has no acknowledgement: one knows one's own
 * message by its words, and of two alike the older was there first.
 * @param {Draft[]} drafts
 * @param {Message} message
 */
function own(drafts, message) {
  const alike = drafts.filter(
    (draft) => draft.tries > 0 && draft.content === message.content && draft.after < message.id,
  );
  return alike.find((draft) => draft.status === "sent") ?? alike[0];
}

/**
 * @param {State} state
 * @param {Kept[]} fresh
 * @returns {State}
 */
function unseen(state, fresh) {
  const others = fresh.filter((message) => message.sender_id !== state.me);
  if (state.attentive || !state.loaded || !others.length) return state;
  const ids = others.map((message) => message.id);
  if (state.unread && state.unreadFrom) ids.push(state.unreadFrom);
  return { ...state, unread: state.unread + others.length, unreadFrom: Math.min(...ids) };
}

/**
 * Blames the refusals on drafts as soon as it is clear on which: when no more drafts are out than
 * were refused. An `error` frame does not say what it answers.
 * @param {State} state
 * @returns {State}
 */
function settle(state) {
  const out = state.drafts.filter((draft) => draft.status === "sent");
  if (!state.refusals.count || out.length > state.refusals.count) return state;
  return { ...failSent(state, state.refusals.text), refusals: { count: 0, text: "" } };
}

/**
 * After a reconnect, with everything missed merged in: what is still out never arrived, so it goes
 * out again.
 * @param {State} state
 * @returns {State}
 */
function requeue(state) {
  const drafts = state.drafts.map((draft) => {
    if (draft.status !== "sent") return draft;
    if (draft.tries >= TRIES) return fail(draft, UNCONFIRMED);
    return { ...draft, status: /** @type {const} */ ("queued") };
  });
  return { ...state, drafts, refusals: { count: 0, text: "" } };
}

/**
 * Forgets what is older than the latest page when there may be a gap before it. A draft that may
 * have arrived in the gap is for its writer to judge.
 * @param {State} state
 * @param {{ messages: Message[], more: boolean }} latest
 * @returns {State}
 */
function restart(state, { messages, more }) {
  const first = more ? messages[0].id : 0;
  return {
    ...state,
    messages: state.messages.filter((message) => message.id >= first),
    notes: state.notes.filter((one) => one.after >= first),
    drafts: state.drafts.map((draft) =>
      draft.status === "sent" && draft.after < first ? fail(draft, UNCONFIRMED) : draft,
    ),
  };
}

/**
 * @param {State} state
 * @param {string} reason
 * @returns {State}
 */
function failSent(state, reason) {
  const drafts = state.drafts.map((draft) =>
    draft.status === "sent" ? fail(draft, reason) : draft,
  );
  return { ...state, drafts };
}

/**
 * @param {Draft} draft
 * @param {string} reason
 * @returns {Draft}
 */
function fail(draft, reason) {
  return { ...draft, status: "failed", reason };
}

/**
 * @param {State} state
 * @param {string} key
 * @param {(draft: Draft) => Draft} change
 * @returns {State}
 */
function redraft(state, key, change) {
  return {
    ...state,
    drafts: state.drafts.map((draft) => (draft.key === key ? change(draft) : draft)),
  };
}

/**
 * @param {State} state
 * @param {number} userId
 * @param {string} name
 * @param {"joined" | "left"} what
 * @returns {State}
 */
function note(state, userId, name, what) {
  const after = newest(state);
  const mine = state.notes.filter((one) => one.userId === userId && one.after === after);
  // Somebody who reloads the page did not go away.
  const returned = what === "joined" && mine.at(-1)?.what === "left";
  /** @type {Note["what"]} */
  const told = returned ? "returned" : what;
  const notes = returned ? state.notes.filter((one) => !mine.includes(one)) : state.notes;
  const number = Number(state.notes.at(-1)?.key.slice(1) ?? 0) + 1;
  const added = { key: `n${number}`, after, userId, name, what: told };
  return { ...state, notes: [...notes, added].slice(-NOTES) };
}

/**
 * @param {State} state
 * @param {number} userId
 * @param {string} name
 * @returns {State}
 */
function here(state, userId, name) {
  return { ...state, here: new Map(state.here).set(userId, name) };
}

/**
 * @param {State} state
 * @param {number} userId
 * @returns {State}
 */
function away(state, userId) {
  const rest = new Map(state.here);
  rest.delete(userId);
  return { ...state, here: rest };
}
