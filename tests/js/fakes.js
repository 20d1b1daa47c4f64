/**
 * The outside of `protocol.js`, driven by hand: a clock, sockets and a history.
 */

import { Api } from "/static/js/api.js";
import { Link } from "/static/js/protocol.js";
import { initial, reduce } from "/static/js/store.js";

export function equal(actual, expected, what = "value") {
  const [one, other] = [actual, expected].map((value) => JSON.stringify(value));
  if (one !== other) throw new Error(`${what}: ${one} instead of ${other}`);
}

export function ok(value, what) {
  if (!value) throw new Error(`not so: ${what}`);
}

/** Lets everything that waits for an answer of the fake server go on. */
export async function settled() {
  for (let turn = 0; turn < 100; turn += 1) await Promise.resolve();
}

/** Lets the browser do something of its own. */
export function turn() {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = resolve;
    port2.postMessage(null);
  });
}

/** Waits for something, as long as a slow machine may need. */
export async function until(condition, what) {
  const deadline = performance.now() + 20_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`it never came about that ${what}`);
    await turn();
  }
}

/** Not a `Response`: reading that one takes longer than microtasks. */
function answer(body, status = 200) {
  return {
    ok: status < 400,
    status,
    statusText: "",
    headers: new Headers(),
    json: async () => body,
  };
}

class FakeSocket {
  sent = [];
  closed = null;

  constructor(url, protocols) {
    this.url = url;
    this.protocols = protocols;
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close(code) {
    this.closed = code ?? 1005;
  }

  /** The server sends a frame. */
  deliver(frame) {
    this.onmessage({ data: JSON.stringify(frame) });
  }

  /** The connection ends, as the browser tells of it. */
  end(code = 1006) {
    this.onclose({ code, reason: "" });
  }
}

/** A world whose server keeps `messages` and whose time passes only by `pass`. */
export class FakeWorld {
  messages = [];
  sockets = [];
  requests = [];
  /** What the next requests get instead of an answer: a status, or "down". */
  faults = [];
  #time = 1_000_000;
  #timers = new Map();
  #next = 1;
  chance = 0;

  WebSocket = ((world) =>
    class extends FakeSocket {
      constructor(url, protocols) {
        super(url, protocols);
        world.sockets.push(this);
      }
    })(this);

  now = () => this.#time;
  random = () => this.chance;

  setTimeout = (callback, ms) => {
    const id = this.#next;
    this.#next += 1;
    this.#timers.set(id, { at: this.#time + ms, callback });
    return id;
  };

  clearTimeout = (id) => {
    this.#timers.delete(id);
  };

  fetch = async (url, init) => {
    this.requests.push({ url, init });
    const fault = this.faults.shift();
    if (fault === "down") throw new TypeError("Failed to fetch");
    if (fault) return answer({ detail: "No." }, fault);
    const query = new URL(url).searchParams;
    const limit = Number(query.get("limit") ?? 50);
    const { messages } = this;
    if (query.has("after")) {
      return answer(messages.filter(({ id }) => id > Number(query.get("after"))).slice(0, limit));
    }
    const before = Number(query.get("before") ?? Infinity);
    return answer(messages.filter(({ id }) => id < before).slice(-limit));
  };

  get socket() {
    return this.sockets.at(-1);
  }

  /** Somebody posts: the history has it, and `on` the frame when it is connected. */
  post(content, sender = 2, on = null) {
    const message = {
      id: (this.messages.at(-1)?.id ?? 0) + 3,
      content,
      sender_id: sender,
      sender_name: sender === 1 ? "testuser" : "alice",
      conversation_id: 1,
      created_at: "2025-11-22 10:30:00",
    };
    this.messages.push(message);
    on?.deliver({ type: "message", ...message });
    return message;
  }

  pass(ms) {
    this.#time += ms;
    for (const [id, { at, callback }] of [...this.#timers]) {
      if (at > this.#time || !this.#timers.delete(id)) continue;
      callback();
    }
  }
}

/** A link with a store behind it, as the page has them. */
export class Client {
  state = initial;
  events = [];

  constructor(world = new FakeWorld()) {
    this.world = world;
    const api = new Api("http://hubbub.test/", world);
    this.link = new Link(api, "the-token", 1, (event) => {
      this.events.push(event);
      this.tell(event);
    });
  }

  tell(event) {
    this.state = reduce(this.state, event);
    if (this.state.link.name !== "live") return;
    const draft = this.state.drafts.find(({ status }) => status === "queued");
    if (draft && this.link.send(draft.content, draft.key))
      this.tell({ type: "sent", key: draft.key });
  }

  write(content, key = `key of ${content}`) {
    this.tell({ type: "written", key, content, at: 0 });
  }

  /** Opens, is greeted and catches up. */
  async connect() {
    this.link.open();
    await this.greeted();
    return this.world.socket;
  }

  async greeted() {
    this.world.socket.deliver({
      type: "connection",
      status: "connected",
      conversation_id: 1,
      user_id: 1,
    });
    await settled();
  }

  /** Loses the connection and has a new one. */
  async reconnect(code = 1006) {
    this.world.socket.end(code);
    this.world.pass(20_000);
    await this.greeted();
    return this.world.socket;
  }

  get contents() {
    return this.state.messages.map(({ content }) => content);
  }

  get drafts() {
    return this.state.drafts.map(({ content, status }) => `${content}: ${status}`);
  }
}
