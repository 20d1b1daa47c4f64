/**
 * The REST half of document 004, for pages. Knows no page; everything of the outside comes in through
 * `World`, so tests bring theirs.
 */

/**
 * @typedef {object} Message
 * @property {number} id rises in a conversation's order
 * @property {string} content
 * @property {number} sender_id
 * @property {string} sender_name
 * @property {string} created_at `2025-11-22 10:30:00`, UTC
 *
 * @typedef {object} Person
 * @property {string} name
 * @property {boolean} [online] undefined where the server does not say
 *
 * @typedef {object} Conversation
 * @property {number} id
 * @property {string} title
 * @property {Person[]} people
 *
 * @typedef {object} World
 * @property {typeof globalThis.fetch} fetch
 * @property {new (url: string, protocols: string[]) => WebSocket} WebSocket
 * @property {(callback: () => void, ms: number) => number} setTimeout
 * @property {(id: number | undefined) => void} clearTimeout
 * @property {() => number} random at least 0, below 1
 * @property {() => number} now milliseconds
 */

/** @type {World} */
export const browser = {
  fetch: (input, init) => globalThis.fetch(input, init),
  WebSocket: globalThis.WebSocket,
  setTimeout: (callback, ms) => globalThis.setTimeout(callback, ms),
  clearTimeout: (id) => globalThis.clearTimeout(id),
  random: Math.random,
  now: Date.now,
};

/** The server's answer was not a success. */
export class Refusal extends Error {
  /**
   * @param {number} status of HTTP
   * @param {string} detail a sentence
   * @param {number} retryAfter seconds, 0 when the server named none
   */
  constructor(status, detail, retryAfter) {
    super(detail);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** No answer came: the server is down or the network is. */
export class Unreachable extends Error {}

/** The REST half. Every method throws `Refusal` or `Unreachable`. */
export class Api {
  /**
   * @param {string} base where the server's paths begin, with a last slash
   * @param {World} world
   */
  constructor(base, world = browser) {
    this.base = base;
    this.world = world;
  }

  /** @returns {Promise<{ dev?: boolean }>} */
  health() {
    return this.#ask("healthz");
  }

  /**
   * @param {string} username
   * @param {string} password
   * @returns {Promise<string>} the access token
   */
  async login(username, password) {
    const body = new URLSearchParams({ username, password });
    return (await this.#ask("auth/token", { method: "POST", body })).access_token;
  }

  /**
   * @param {string} token
   * @returns {Promise<Conversation[]>} the caller's
   */
  async conversations(token) {
    const rows = await this.#ask("conversations/", authorized(token));
    return rows.map((/** @type {any} */ row) => ({
      id: row.id,
      title: row.title || `Conversation ${row.id}`,
      people: (row.participants ?? []).map(person),
    }));
  }

  /**
   * @param {string} token
   * @param {number} conversation
   * @param {{ after?: number, before?: number, limit: number }} query
   * @returns {Promise<Message[]>} oldest first
   */
  messages(token, conversation, query) {
    const pairs = Object.entries(query).map(([name, value]) => [name, String(value)]);
    return this.#ask(
      `conversations/${conversation}/messages?${new URLSearchParams(pairs)}`,
      authorized(token),
    );
  }

  /**
   * @param {string} path
   * @param {RequestInit} [init]
   */
  async #ask(path, init) {
    let response;
    try {
      response = await this.world.fetch(this.base + path, { cache: "no-store", ...init });
      if (response.ok) return await response.json();
    } catch (error) {
      throw new Unreachable(String(error));
    }
    const body = await response.json().catch(() => ({}));
    const detail = typeof body.detail === "string" ? body.detail : response.statusText;
    throw new Refusal(response.status, detail, Number(response.headers.get("Retry-After")) || 0);
  }
}

/** @param {string} token */
function authorized(token) {
  return { headers: { Authorization: `Bearer ${token}` } };
}

/** @param {any} row a name, or an object with one */
function person(row) {
  return typeof row === "string" ? { name: row } : { name: row.username ?? row.name, online: row.online };
}
