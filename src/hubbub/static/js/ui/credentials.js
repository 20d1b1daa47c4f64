/**
 * Logging in, or making an account first: the form that pages have in common, and what it says when
 * it fails. Its words are the page's; `data-new` has those for a new account.
 */

import { Refusal } from "../api.js";
import { byId, say } from "./dom.js";
import { loginFailure, registerFailure } from "./words.js";

/** @typedef {import("../api.js").Tokens} Tokens */

export class Credentials {
  #error = byId("login-error", HTMLElement);
  #username = byId("username", HTMLInputElement);
  #password = byId("password", HTMLInputElement);
  #enter = byId("enter", HTMLButtonElement);
  #other = byId("other", HTMLButtonElement);
  /** Whether the account is to be made. */
  #fresh = false;
  #api;
  #entered;
  #check;

  /**
   * @param {import("../api.js").Api} api
   * @param {(username: string, tokens: Tokens) => void} entered somebody is logged in
   * @param {() => string} [check] what else is wrong with the form, empty when nothing is
   */
  constructor(api, entered, check = () => "") {
    this.#api = api;
    this.#entered = entered;
    this.#check = check;
    byId("login", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#other.addEventListener("click", () => {
      this.#turn(!this.#fresh);
      this.#focus();
    });
  }

  /**
   * Begins with nothing but what is given.
   * @param {string} [username] who was here last
   * @param {string} [problem] why one has to log in again
   */
  start(username = "", problem = "") {
    this.#turn(false);
    if (username) this.#username.value = username;
    this.#tell(problem);
    this.#focus();
  }

  /** Keeps no password longer than it is needed. */
  clear() {
    this.#password.value = "";
  }

  /**
   * Proposes an account to whoever has typed nothing yet.
   * @param {string} username
   * @param {string} password
   */
  suggest(username, password) {
    if (this.#username.value || this.#password.value) return;
    this.#username.value = username;
    this.#password.value = password;
  }

  #focus() {
    (this.#username.value ? this.#password : this.#username).focus();
  }

  /** @param {boolean} fresh */
  #turn(fresh) {
    if (fresh !== this.#fresh) {
      for (const place of document.querySelectorAll("#login [data-new]")) {
        const words = place.textContent ?? "";
        say(place, place.getAttribute("data-new") ?? "");
        place.setAttribute("data-new", words);
      }
    }
    this.#fresh = fresh;
    this.#password.autocomplete = fresh ? "new-password" : "current-password";
    byId("password-rule", HTMLElement).hidden = !fresh;
    this.#tell("");
  }

  /** @param {string} problem empty for none */
  #tell(problem) {
    this.#error.hidden = !problem;
    say(this.#error, problem);
  }

  async #submit() {
    const username = this.#username.value.trim();
    const password = this.#password.value;
    if (!username || !password) return this.#tell("Enter your username and your password.");
    const problem = this.#check();
    if (problem) return this.#tell(problem);
    this.#enter.disabled = this.#other.disabled = true;
    this.#tell("");
    try {
      if (this.#fresh) await this.#register(username, password);
      this.#entered(username, await this.#api.login(username, password));
    } catch (error) {
      this.#tell(this.#fresh ? registerFailure(error) : loginFailure(error));
      const taken = error instanceof Refusal && error.status === 409;
      (taken ? this.#username : this.#password).select();
    } finally {
      this.#enter.disabled = this.#other.disabled = false;
    }
  }

  /**
   * @param {string} username
   * @param {string} password
   */
  async #register(username, password) {
    await this.#api.register(username, password);
    // If logging in fails now, another account is not what helps.
    this.#turn(false);
  }
}
