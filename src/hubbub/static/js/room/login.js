/**
 * The login form of the meeting, for servers that let in no guests.
 */

import { byId, say } from "../ui/dom.js";
import { loginFailure } from "../ui/words.js";

/**
 * Where nobody is let in without a login: shown by `show`, and hides itself.
 * @param {import("../api.js").Api} api
 * @param {(username: string, tokens: import("../api.js").Tokens) => void} entered
 * @returns {{ show: (username: string, problem: string) => void }}
 */
export function login(api, entered) {
  const root = byId("door", HTMLElement);
  const error = byId("login-error", HTMLElement);
  const username = byId("username", HTMLInputElement);
  const password = byId("password", HTMLInputElement);
  const enter = byId("enter", HTMLButtonElement);

  /** @param {string} problem empty for none */
  const tell = (problem) => {
    error.hidden = !problem;
    say(error, problem);
  };

  byId("login", HTMLFormElement).addEventListener("submit", async (event) => {
    event.preventDefault();
    const name = username.value.trim();
    if (!name || !password.value) return tell("Enter your username and your password.");
    enter.disabled = true;
    tell("");
    try {
      const tokens = await api.login(name, password.value);
      root.hidden = true;
      password.value = "";
      entered(name, tokens);
    } catch (failure) {
      tell(loginFailure(failure));
      password.select();
    } finally {
      enter.disabled = false;
    }
  });

  return {
    show(name, problem) {
      root.hidden = false;
      if (name) username.value = name;
      tell(problem);
      (username.value ? password : username).focus();
    },
  };
}
