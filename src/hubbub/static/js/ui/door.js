/**
 * The door of the chat: who comes, and which conversation they want.
 */

import { Credentials } from "./credentials.js";
import { byId } from "./dom.js";

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
  #conversation = byId("conversation", HTMLInputElement);
  #credentials;
  #api;

  /**
   * @param {import("../api.js").Api} api
   * @param {(username: string, tokens: Tokens, conversation: number) => void} entered
   */
  constructor(api, entered) {
    this.#api = api;
    const wanted = () => conversationId(this.#conversation.value);
    this.#credentials = new Credentials(
      api,
      (username, tokens) => entered(username, tokens, wanted() ?? 1),
      () => (wanted() ? "" : "The conversation ID is a number, such as 1."),
    );
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
    document.title = "Hubbub";
    this.#credentials.start(username, problem);
  }

  hide() {
    this.#root.hidden = true;
    this.#credentials.clear();
  }

  async #prefill() {
    const { dev } = await this.#api.health().catch(() => ({ dev: false }));
    if (!dev) return;
    byId("login-hint", HTMLElement).hidden = false;
    this.#credentials.suggest(DEV_USER, DEV_PASSWORD);
  }
}
