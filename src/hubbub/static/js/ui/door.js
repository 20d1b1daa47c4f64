/**
 * Logging in: the form, what it starts with, and what it says when it fails.
 */

import { byId, say } from "./dom.js";
import { loginFailure } from "./words.js";

// As document 004 prints them; a development server has this account.
const DEV_USER = "testuser";
const DEV_PASSWORD = "TestPassword123";

/** @typedef {import("../api.js").Tokens} Tokens */

/**
 * @param {string | null} text
 * @returns {number | null} a conversation's id, null when it is none
 */
export function conversationId(text) {
  const id = Number(text);
  return Number.isSafeInteger(id) && id > 0 ? id : null;
}

export class Door {
  #root = byId("door", HTMLElement);
  #error = byId("login-error", HTMLElement);
  #username = byId("username", HTMLInputElement);
  #password = byId("password", HTMLInputElement);
  #conversation = byId("conversation", HTMLInputElement);
  #connect = byId("connect", HTMLButtonElement);
  #api;
  #entered;

  /**
   * @param {import("../api.js").Api} api
   * @param {(username: string, tokens: Tokens, conversation: number) => void} entered
   */
  constructor(api, entered) {
    this.#api = api;
    this.#entered = entered;
    byId("login", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#login();
    });
    this.#prefill();
  }

  /**
   * @param {number} conversation to go to
   * @param {string} [username] who was here last
   * @param {string} [problem] why one has to log in again
   */
  show(conversation, username, problem = "") {
    this.#root.hidden = false;
    this.#conversation.value = String(conversation);
    if (username) this.#username.value = username;
    document.title = "Hubbub";
    this.#say(problem);
    (this.#username.value ? this.#password : this.#username).focus();
  }

  hide() {
    this.#root.hidden = true;
    this.#password.value = "";
  }

  /** @param {string} problem empty for none */
  #say(problem) {
    this.#error.hidden = !problem;
    say(this.#error, problem);
  }

  async #login() {
    const username = this.#username.value.trim();
    const password = this.#password.value;
    const conversation = conversationId(this.#conversation.value);
    if (!username || !password) return this.#say("Enter your username and your password.");
    if (!conversation) return this.#say("The conversation ID is a number, such as 1.");
    this.#connect.disabled = true;
    this.#say("");
    try {
      const tokens = await this.#api.login(username, password);
      this.#entered(username, tokens, conversation);
    } catch (error) {
      this.#say(loginFailure(error));
      this.#password.select();
    } finally {
      this.#connect.disabled = false;
    }
  }

  async #prefill() {
    const { dev } = await this.#api.health().catch(() => ({ dev: false }));
    if (!dev) return;
    byId("login-hint", HTMLElement).hidden = false;
    if (this.#username.value || this.#password.value) return;
    this.#username.value = DEV_USER;
    this.#password.value = DEV_PASSWORD;
  }
}
