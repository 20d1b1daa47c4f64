/**
 * Who is logged in in this tab. The tokens live in memory and in the tab's `sessionStorage`, never
 * in an address nor in what other tabs can read.
 *
 * Every tab logs in for itself. The cookie of the last login would let in a new tab as well, but
 * uses up the refresh token that the first tab holds: its next renewal would be a second use, which
 * ends the login of both.
 */

const KEY = "hubbub.session";

/** @typedef {import("./api.js").Tokens} Tokens */

export class Session {
  /** @type {Promise<boolean> | undefined} */
  #renewal;
  #api;

  /**
   * @param {import("./api.js").Api} api
   * @param {string} username
   * @param {Tokens} tokens
   */
  constructor(api, username, tokens) {
    this.#api = api;
    this.username = username;
    this.tokens = tokens;
    this.#keep({ username, tokens });
  }

  /**
   * @param {import("./api.js").Api} api
   * @returns {Session | null} the one this tab had before it was reloaded
   */
  static remembered(api) {
    try {
      const { username, tokens } = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
      return new Session(api, username, tokens);
    } catch {
      return null;
    }
  }

  get token() {
    return this.tokens.access_token;
  }

  /**
   * Gets a new token without asking for the password. A refresh token is good once and a second use
   * ends the login, so whoever asks meanwhile waits for the same answer.
   * @returns {Promise<boolean>} whether `token` is a new one
   */
  renew() {
    this.#renewal ??= this.#refresh().finally(() => {
      this.#renewal = undefined;
    });
    return this.#renewal;
  }

  /** Makes a reload ask for the password. */
  forget() {
    this.#keep(null);
  }

  async #refresh() {
    if (!this.tokens.refresh_token) return false;
    try {
      this.tokens = await this.#api.refresh(this.tokens.refresh_token);
    } catch {
      return false;
    }
    this.#keep({ username: this.username, tokens: this.tokens });
    return true;
  }

  /** @param {{ username: string, tokens: Tokens } | null} kept */
  #keep(kept) {
    try {
      sessionStorage.setItem(KEY, JSON.stringify(kept));
    } catch {
      // A browser may forbid storage; then a reload asks for the password.
    }
  }
}
