/**
 * The REST half of what pages speak: document 004, of the native protocol what 004 lacks, and of
 * 002 how to make a meeting. Knows no page; everything of the outside comes in through `World`, so
 * tests bring theirs.
 */

/**
 * @typedef {object} Message
 * @property {number} id rises in a conversation's order
 * @property {string} content
 * @property {number} sender_id
 * @property {string} sender_name
 * @property {string} created_at `2025-11-22 10:30:00`, UTC
 *
 * @typedef {object} Conversation
 * @property {number} id
 * @property {string} title
 * @property {string[]} participants usernames
 *
 * @typedef {object} Tokens
 * @property {string} access_token opens everything, for half an hour or so
 * @property {string} [refresh_token] good for one `refresh`
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
   * @returns {Promise<Tokens>}
   */
  login(username, password) {
    return this.#ask("auth/token", {
      method: "POST",
      body: new URLSearchParams({ username, password }),
    });
  }

  /**
   * @param {string} username
   * @param {string} password
   * @returns {Promise<unknown>} when there is such an account
   */
  register(username, password) {
    return this.#ask("api/users/", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ username, password }),
    });
  }

  /**
   * Says by the body whose tokens are to be renewed: the cookie is that of the last login in any
   * tab, which may have been somebody else's.
   * @param {string} token a refresh token, used up by this
   * @returns {Promise<Tokens>}
   */
  refresh(token) {
    return this.#ask("api/v1/auth/refresh", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ refresh_token: token }),
    });
  }

  /** @param {string} token is good for nothing afterwards */
  logout(token) {
    return this.#ask("api/v1/auth/logout", { method: "POST", ...authorized(token) });
  }

  /**
   * @param {string} token
   * @returns {Promise<Conversation[]>} the caller's
   */
  conversations(token) {
    return this.#ask("conversations/", authorized(token));
  }

  /**
   * @param {string} token
   * @param {number} id
   * @returns {Promise<Conversation>}
   */
  conversation(token, id) {
    return this.#ask(`conversations/${id}`, authorized(token));
  }

  /**
   * @param {string} token
   * @param {number} conversation
   * @returns {Promise<{ id: number, name: string }[]>} those with a socket in it
   */
  present(token, conversation) {
    return this.#ask(`api/v1/channels/${conversation}/presence`, authorized(token));
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
   * @param {string} token empty for a guest, whom some servers let make meetings
   * @returns {Promise<{ room_id: string, join_link: string }>} a meeting (document 002)
   */
  createMeeting(token) {
    return this.#ask("create-room", { method: "POST", ...(token ? authorized(token) : {}) });
  }

  /**
   * @param {string} token empty for a guest
   * @param {string} key
   * @returns {Promise<{ participant_count: number }>} a meeting
   */
  meeting(token, key) {
    return this.#ask(`rooms/${key}`, token ? authorized(token) : {});
  }

  /**
   * @param {string} path
   * @param {RequestInit} [init]
   */
  async #ask(path, init) {
    let response;
    try {
      response = await this.world.fetch(this.base + path, { cache: "no-store", ...init });
      if (response.ok) return response.status === 204 ? undefined : await response.json();
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
