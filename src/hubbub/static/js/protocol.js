/**
 * The WebSocket half of document 004: one conversation, live, through every interruption. Knows no
 * page. What happens is told to one listener as plain objects (`LinkEvent`) that `store.js` takes.
 */

import { Refusal, Unreachable } from "./api.js";

/**
 * @typedef {import("./api.js").Message} Message
 *
 * @typedef {"lost" | "restart" | "crowded" | "flooded"} Interruption
 * @typedef {"expired" | "disabled" | "forbidden" | "unknown"} Ending
 *
 * @typedef {(
 *   | { type: "connecting" }
 *   | { type: "connected", userId: number }
 *   | { type: "latest", messages: Message[], more: boolean }
 *   | { type: "missed", messages: Message[] }
 *   | { type: "live" }
 *   | { type: "message", message: Message }
 *   | { type: "joined", userId: number, name: string }
 *   | { type: "left", userId: number, name: string }
 *   | { type: "refused", text: string }
 *   | { type: "waiting", until: number, why: Interruption }
 *   | { type: "ended", why: Ending }
 * )} LinkEvent
 */

/** How many messages a page of history has. */
export const PAGE = 50;
const CATCH_UP_PAGE = 200;
// After more than this many pages of missed messages it is quicker to start from the latest again.
const CATCH_UP_PAGES = 5;
const BACKOFF_MIN = 500;
const BACKOFF_MAX = 20_000;
const ANSWER_WITHIN = 10_000;
// A browser is not told of the protocol's pings, so to it a dead connection looks like a quiet one.
const QUIET = 60_000;
// A connection that held this long was a good one: the next pause is a short one again.
const STEADY = 10_000;

/** @type {Record<number, Ending>} */
const ENDINGS = { 4000: "disabled", 4001: "expired", 4003: "forbidden", 4004: "unknown" };
/** @type {Record<number, Ending>} */
const ENDINGS_BY_STATUS = { 401: "expired", 403: "forbidden", 404: "unknown" };
/** @type {Record<number, Interruption>} */
const INTERRUPTIONS = { 1008: "flooded", 1012: "restart", 1013: "crowded" };

/**
 * One conversation, kept connected until it ends: by `close()`, or by an `ended` event, after which
 * trying again as the same person is useless.
 *
 * After `live` the listener has every message from the first it was given on, each at least once:
 * messages are told by the socket and by history both, and are the same when their ids are.
 */
export class Link {
  /** @type {WebSocket | null} */
  #socket = null;
  #listener;
  #live = false;
  #liveSince = 0;
  #attempts = 0;
  #heard = 0;
  /** Up to this id nothing is missing; null before the first history. @type {number | null} */
  #complete = null;
  #newest = 0;
  /** @type {number | undefined} */
  #timer;

  /**
   * @param {import("./api.js").Api} api
   * @param {string} token
   * @param {number} conversation
   * @param {(event: LinkEvent) => void} listener
   */
  constructor(api, token, conversation, listener) {
    this.api = api;
    this.conversation = conversation;
    /** May be replaced by a newer one of the same person. */
    this.token = token;
    this.#listener = listener;
  }

  /** Connects, or goes on at once instead of after the pause. Does nothing while connected. */
  open() {
    if (this.#socket) return;
    this.#clear();
    const { base, world } = this.api;
    const url = new URL(`conversations/${this.conversation}/ws`, base);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new world.WebSocket(url.href, ["bearer", this.token]);
    this.#socket = socket;
    socket.onmessage = (event) => {
      if (socket === this.#socket) this.#receive(socket, event.data);
    };
    socket.onclose = (event) => {
      if (socket === this.#socket) this.#lost(event.code);
    };
    this.#timer = world.setTimeout(() => this.drop(), ANSWER_WITHIN);
    this.#listener({ type: "connecting" });
  }

  /** Leaves for good; nothing is told any more. */
  close() {
    this.#clear();
    const socket = this.#socket;
    this.#socket = null;
    this.#live = false;
    socket?.close(1000);
  }

  /** Gives up a connection that does not answer, and makes a new one after the pause. */
  drop() {
    const socket = this.#socket;
    if (!socket) return;
    this.#lost(1006);
    socket.close();
  }

  /**
   * @param {string} content
   * @param {string} clientId the same for every repetition of one message
   * @returns {boolean} false when there is no connection to send it on
   */
  send(content, clientId) {
    if (!this.#live || !this.#socket) return false;
    this.#socket.send(JSON.stringify({ content, client_id: clientId }));
    return true;
  }

  /** Finds out whether the connection still delivers, and makes a new one if it does not. */
  async check() {
    const socket = this.#socket;
    const heard = this.#heard;
    if (!socket || !this.#live) return;
    let missed;
    try {
      missed = (await this.#page({ after: this.#complete ?? 0, limit: 1 })).length > 0;
    } catch (error) {
      // A refusal is an answer; what it means is found out when it matters.
      missed = error instanceof Unreachable;
    }
    if (socket !== this.#socket) return;
    if (missed && heard === this.#heard) this.drop();
    else this.#watch();
  }

  /**
   * @param {number} before
   * @returns {Promise<Message[]>} the page just older than the message `before`, oldest first
   */
  older(before) {
    return this.#page({ before, limit: PAGE });
  }

  /** @param {{ after?: number, before?: number, limit: number }} query */
  #page(query) {
    return this.api.messages(this.token, this.conversation, query);
  }

  #clear() {
    this.api.world.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #watch() {
    this.#clear();
    this.#timer = this.api.world.setTimeout(() => this.check(), QUIET);
  }

  /**
   * @param {WebSocket} socket
   * @param {string} data
   */
  #receive(socket, data) {
    const frame = JSON.parse(data);
    this.#heard += 1;
    if (this.#live) this.#watch();
    switch (frame.type) {
      case "connection":
        this.#listener({ type: "connected", userId: frame.user_id });
        this.#catchUp(socket);
        break;
      case "message":
        this.#newest = Math.max(this.#newest, frame.id);
        if (this.#live) this.#complete = this.#newest;
        this.#listener({ type: "message", message: frame });
        break;
      case "user_joined":
        this.#listener({ type: "joined", userId: frame.user_id, name: frame.username });
        break;
      case "user_left":
        this.#listener({ type: "left", userId: frame.user_id, name: frame.username });
        break;
      case "error":
        this.#listener({ type: "refused", text: frame.message });
        break;
      // Types this page does not know are for newer ones.
    }
  }

  /**
   * Fetches what the socket did not bring. The socket already delivers meanwhile, so nothing falls
   * between the two.
   * @param {WebSocket} socket
   */
  async #catchUp(socket) {
    try {
      const caughtUp = this.#complete !== null && (await this.#fetchMissed(socket));
      if (!caughtUp) await this.#fetchLatest(socket);
    } catch (error) {
      if (socket === this.#socket) this.#failed(error);
      return;
    }
    if (socket !== this.#socket) return;
    this.#newest = Math.max(this.#complete ?? 0, this.#newest);
    this.#complete = this.#newest;
    this.#live = true;
    this.#liveSince = this.api.world.now();
    this.#watch();
    this.#listener({ type: "live" });
  }

  /**
   * @param {WebSocket} socket
   * @returns {Promise<boolean>} false when there was too much
   */
  async #fetchMissed(socket) {
    for (let pages = 0; pages < CATCH_UP_PAGES; pages += 1) {
      const messages = await this.#page({ after: this.#complete ?? 0, limit: CATCH_UP_PAGE });
      if (socket !== this.#socket) return true;
      this.#complete = messages.at(-1)?.id ?? this.#complete;
      this.#listener({ type: "missed", messages });
      if (messages.length < CATCH_UP_PAGE) return true;
    }
    return false;
  }

  /** @param {WebSocket} socket */
  async #fetchLatest(socket) {
    const messages = await this.#page({ limit: PAGE });
    if (socket !== this.#socket) return;
    this.#complete = messages.at(-1)?.id ?? 0;
    this.#listener({ type: "latest", messages, more: messages.length === PAGE });
  }

  /** @param {unknown} error from the history */
  #failed(error) {
    const why = error instanceof Refusal ? ENDINGS_BY_STATUS[error.status] : undefined;
    if (!why) {
      this.drop();
      return;
    }
    this.close();
    this.#listener({ type: "ended", why });
  }

  /** @param {number} code of the close */
  #lost(code) {
    const { world } = this.api;
    this.#socket = null;
    this.#clear();
    if (this.#live && world.now() - this.#liveSince >= STEADY) this.#attempts = 0;
    this.#live = false;
    const why = ENDINGS[code];
    if (why) {
      this.#listener({ type: "ended", why });
      return;
    }
    this.#attempts += 1;
    const most = Math.min(BACKOFF_MAX, BACKOFF_MIN * 2 ** this.#attempts);
    const pause = BACKOFF_MIN + world.random() * (most - BACKOFF_MIN);
    this.#timer = world.setTimeout(() => this.open(), pause);
    const until = world.now() + pause;
    this.#listener({ type: "waiting", until, why: INTERRUPTIONS[code] ?? "lost" });
  }
}
