/**
 * The conversations one can go to, the people in this one, and oneself.
 */

import { avatar, element } from "./dom.js";

/**
 * @typedef {import("../api.js").Conversation} Conversation
 *
 * @typedef {object} Member
 * @property {string} name
 * @property {boolean} here
 * @property {boolean} self
 */

/** @type {WeakMap<HTMLElement, string>} */
const shown = new WeakMap();

/**
 * Whether what is to be shown differs from what is: lists are rebuilt as a whole, and that takes
 * the focus from whatever in them has it.
 * @param {HTMLElement} list
 * @param {unknown} content
 */
function changed(list, content) {
  const text = JSON.stringify(content);
  if (shown.get(list) === text) return false;
  shown.set(list, text);
  return true;
}

/**
 * @param {HTMLElement} list
 * @param {Conversation[]} conversations
 * @param {number} current
 * @param {(id: number) => void} open
 */
export function showConversations(list, conversations, current, open) {
  if (!changed(list, [conversations, current])) return;
  const all = conversations.some(({ id }) => id === current)
    ? conversations
    : [{ id: current, title: `Conversation ${current}`, participants: [] }, ...conversations];
  list.replaceChildren(
    ...all.map(({ id, title }) => {
      const name = element("span", "conversation-name", title);
      const link = element("a", "conversation", name, element("span", "conversation-id", `#${id}`));
      link.href = `?conversation=${id}`;
      if (id === current) link.setAttribute("aria-current", "page");
      link.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        open(id);
      });
      return element("li", "", link);
    }),
  );
}

/**
 * @param {Conversation | undefined} conversation
 * @param {ReadonlyMap<number, string>} present by user id; "" is oneself
 * @param {string} self
 * @returns {Member[]} those known to be here first
 */
export function members(conversation, present, self) {
  const here = new Set([...present.values()].map((name) => name || self));
  const names = new Set([...here, ...(conversation?.participants ?? [])]);
  return [...names]
    .map((name) => ({ name, here: here.has(name), self: name === self }))
    .sort(
      (one, other) => Number(other.here) - Number(one.here) || one.name.localeCompare(other.name),
    );
}

/**
 * @param {HTMLElement} list
 * @param {Member[]} people
 */
export function showPeople(list, people) {
  if (!changed(list, people)) return;
  list.replaceChildren(
    ...people.map(({ name, here, self }) => {
      const text = element("span", "person-name", name);
      const state = element(
        "span",
        "person-state",
        [self ? "you" : "", here ? "here" : ""].filter(Boolean).join(", "),
      );
      const row = element("li", "person", avatar(name), text, state);
      row.dataset.here = String(here);
      return row;
    }),
  );
}
