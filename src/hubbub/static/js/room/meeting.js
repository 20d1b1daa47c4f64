/**
 * The WebSocket half of document 002: one meeting, through every interruption. Knows no page and no
 * call. What happens is told to one listener as plain objects (`MeetingEvent`).
 *
 * The server passes on frames of types it does not know. Pages tell one another by three of them:
 * `name {data: {name}}`, what one is called, `media {data: {audio, video}}`, what is sent, and
 * `full`, that there is no place for a newcomer.
 */

/**
 * @typedef {"lost" | "restart" | "crowded" | "flooded" | "slow"} Interruption
 * @typedef {"over" | "forbidden" | "disabled" | "expired"} Ending
 * @typedef {"offer" | "answer" | "ice-candidate" | "media" | "name"} SignalType
 *
 * @typedef {(
 *   | { type: "connecting" }
 *   | { type: "connected", id: string }
 *   | { type: "joined", id: string }
 *   | { type: "left", id: string }
 *   | { type: "signal", from: string, signal: SignalType, data: any }
 *   | { type: "full" }
 *   | { type: "waiting", until: number, why: Interruption }
 *   | { type: "ended", why: Ending }
 * )} MeetingEvent
 */

const KEY = /^[\w.~-]{1,128}$/;
// Paths of other sockets of the server.
const RESERVED = ["auth", "echo", "v1", "chat", "video", "room", "signaling"];
const BACKOFF_MIN = 500;
const BACKOFF_MAX = 10_000;
const ANSWER_WITHIN = 10_000;
// A connection that held this long was a good one: the next pause is a short one again.
const STEADY = 10_000;

/** @type {Record<number, Ending>} */
const ENDINGS = { 4000: "disabled", 4001: "expired", 4003: "forbidden", 4004: "over" };
/** @type {Record<number, Interruption>} */
const INTERRUPTIONS = { 1008: "flooded", 1012: "restart", 1013: "crowded", 4200: "slow" };

/**
 * @param {string} key as it is in an address
 * @returns {boolean} whether a meeting may have it
 */
export function possible(key) {
  return KEY.test(key) && !RESERVED.includes(key);
}

/**
 * One meeting, kept connected until it ends: by `close()`, or by an `ended` event, after which
 * trying again as the same person is useless.
 *
 * Every `connected` brings a new id of one's own: to the others one is somebody new, and whatever
 * was agreed with them before is void. Who was there before is not told; they are told of us.
 */
export class Meeting {
  /** @type {WebSocket | null} */
  #socket = null;
  #listener;
  #since = 0;
  #attempts = 0;
  /** @type {number | undefined} */
  #timer;

  /**
   * @param {import("../api.js").Api} api
   * @param {string} key as it is in an address
   * @param {(event: MeetingEvent) => void} listener
   */
  constructor(api, key, listener) {
    this.api = api;
    this.key = key;
    /** Of whoever is logged in; may be replaced. Without one the server may let in guests. */
    this.token = "";
    this.#listener = listener;
  }

  /** Connects, or goes on at once instead of after the pause. Does nothing while connected. */
  open() {
    if (this.#socket) return;
    this.#clear();
    const { base, world } = this.api;
    const url = new URL(`ws/${this.key}`, base);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new world.WebSocket(url.href, this.token ? ["bearer", this.token] : []);
    this.#socket = socket;
    this.#since = Infinity;
    socket.onmessage = (event) => {
      if (socket === this.#socket) this.#receive(event.data);
    };
    socket.onclose = (event) => {
      if (socket === this.#socket) this.#lost(event.code);
    };
    this.#timer = world.setTimeout(() => {
      this.#lost(1006);
      socket.close();
    }, ANSWER_WITHIN);
    this.#listener({ type: "connecting" });
  }

  /** Leaves for good; nothing is told any more. */
  close() {
    this.#clear();
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(1000);
  }

  /**
   * Says something to one peer. Without a connection it is lost, and so is what it was about.
   * @param {string | undefined} target undefined for everybody
   * @param {SignalType | "full"} type
   * @param {unknown} [data]
   */
  signal(target, type, data) {
    if (this.#since === Infinity) return;
    this.#socket?.send(JSON.stringify({ type, room_id: this.key, target_id: target, data }));
  }

  #clear() {
    this.api.world.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** @param {string} text */
  #receive(text) {
    const frame = JSON.parse(text);
    switch (frame.type) {
      case "connected":
        this.#clear();
        this.#since = this.api.world.now();
        this.#listener({ type: "connected", id: frame.user_id });
        break;
      case "user-joined":
        this.#listener({ type: "joined", id: frame.user_id });
        break;
      case "user-left":
        this.#listener({ type: "left", id: frame.user_id });
        break;
      case "offer":
      case "answer":
      case "ice-candidate":
      case "media":
      case "name": {
        const { type: signal, sender_id: from, data } = frame;
        this.#listener({ type: "signal", from, signal, data });
        break;
      }
      case "full":
        this.#listener({ type: "full" });
        break;
      // An `error` is of a peer who has just left, or is followed by a close that says more. Other
      // types are for other pages.
    }
  }

  /** @param {number} code of the close */
  #lost(code) {
    const { world } = this.api;
    this.#socket = null;
    this.#clear();
    if (world.now() - this.#since >= STEADY) this.#attempts = 0;
    this.#since = Infinity;
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
