/**
 * Keeps the list of messages on the screen equal to `rows()`, and the reader's place in it.
 */

import { avatar, element, icon, linked, say } from "./dom.js";
import { clock, day, moment } from "./words.js";

/**
 * @typedef {import("../rows.js").Row} Row
 * @typedef {import("../rows.js").MessageRow} MessageRow
 *
 * @typedef {object} Listener
 * @property {(key: string) => void} retry
 * @property {(key: string) => void} discard
 * @property {() => void} scrolled
 */

// Closer to the end than this counts as being there: a finger is not exact.
const NEAR = 48;
const STATES = {
  received: "",
  queued: "Waiting for connection",
  sent: "Sending…",
  failed: "Not sent",
};

export class Timeline {
  /** @type {Map<string, HTMLElement>} */
  #nodes = new Map();
  #pinned = true;
  #log;
  #list;
  #listener;

  /**
   * @param {HTMLElement} log what scrolls
   * @param {HTMLElement} list what holds the rows
   * @param {Listener} listener
   */
  constructor(log, list, listener) {
    this.#log = log;
    this.#list = list;
    this.#listener = listener;
    log.addEventListener("scroll", () => {
      this.#pinned = this.#distance() < NEAR;
      listener.scrolled();
    });
    // The keyboard of a phone and the growing composer take room from below.
    new ResizeObserver(() => this.#stay()).observe(log);
  }

  /** The newest message is in view. */
  get atEnd() {
    return this.#pinned;
  }

  /** The reader is close to the oldest row there is. */
  get nearStart() {
    return this.#log.scrollTop < 400;
  }

  toEnd() {
    this.#pinned = true;
    this.#stay();
  }

  clear() {
    this.#nodes.clear();
    this.#list.replaceChildren();
    this.#pinned = true;
  }

  /**
   * @param {Row[]} rows
   * @param {boolean} quiet nobody needs to be told of what is new in them
   */
  render(rows, quiet) {
    this.#log.setAttribute("aria-busy", String(quiet));
    const anchor = this.#anchor();
    const before = anchor?.getBoundingClientRect().top ?? 0;
    const keys = new Set(rows.map((row) => row.key));
    for (const [key, node] of this.#nodes) {
      if (keys.has(key)) continue;
      node.remove();
      this.#nodes.delete(key);
    }
    let next = this.#list.firstElementChild;
    for (const row of rows) {
      const node = this.#node(row);
      if (node === next) next = node.nextElementSibling;
      else this.#list.insertBefore(node, next);
    }
    if (this.#pinned) this.#stay();
    else if (anchor?.isConnected)
      this.#log.scrollTop += anchor.getBoundingClientRect().top - before;
  }

  #distance() {
    const { scrollHeight, scrollTop, clientHeight } = this.#log;
    return scrollHeight - scrollTop - clientHeight;
  }

  #stay() {
    if (this.#pinned) this.#log.scrollTop = this.#log.scrollHeight;
  }

  /** The first row in view: what the reader looks at stays where it is. */
  #anchor() {
    if (this.#pinned) return undefined;
    const top = this.#log.getBoundingClientRect().top;
    return [...this.#list.children].find((node) => node.getBoundingClientRect().bottom > top);
  }

  /** @param {Row} row */
  #node(row) {
    let node = this.#nodes.get(row.key);
    if (!node) {
      node = row.kind === "message" ? this.#message(row) : line(row);
      this.#nodes.set(row.key, node);
    }
    if (row.kind === "message") update(node, row);
    if (row.kind === "day") say(node.firstElementChild ?? node, day(row.at));
    return node;
  }

  /** @param {MessageRow} row */
  #message(row) {
    const bubble = element("div", "bubble", ...linked(row.content));
    bubble.dir = "auto";
    const retry = element("button", "link", "Retry");
    const discard = element("button", "link", "Delete");
    retry.type = discard.type = "button";
    retry.addEventListener("click", () => this.#listener.retry(row.key));
    discard.addEventListener("click", () => this.#listener.discard(row.key));
    const meta = element(
      "p",
      "meta",
      element("time", ""),
      element("span", "state"),
      element("span", "actions", retry, discard),
    );
    const head = element("p", "sender", row.mine ? "You" : row.sender);
    const body = element("div", "body", head, bubble, meta);
    return element("li", "message", ...(row.mine ? [body] : [avatar(row.sender), body]));
  }
}

/** @param {Exclude<Row, MessageRow>} row */
function line(row) {
  switch (row.kind) {
    case "beginning":
      return element(
        "li",
        "beginning",
        icon("bubble"),
        element("p", "", "This is where the conversation begins."),
      );
    case "day":
      return element("li", "day", element("span", "", day(row.at)));
    case "unread":
      return element("li", "unread", element("span", "", "New messages"));
    case "note":
      return element("li", "note", row.text);
  }
}

/**
 * @param {HTMLElement} node
 * @param {MessageRow} row
 */
function update(node, row) {
  const { classList } = node;
  classList.toggle("mine", row.mine);
  classList.toggle("first", row.first);
  classList.toggle("last", row.last);
  node.dataset.status = row.status;
  const time = node.querySelector("time");
  const state = node.querySelector(".state");
  if (!time || !state) return;
  say(time, clock(row.at));
  time.dateTime = row.at.toISOString();
  time.title = moment(row.at);
  say(state, row.reason ? `${STATES[row.status]}: ${row.reason}` : STATES[row.status]);
}
