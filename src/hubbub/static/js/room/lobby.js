/**
 * What stands before a meeting: who is there, and the question what one wants to be called.
 */

import { byId, say } from "../ui/dom.js";
import { tidy } from "./names.js";
import { present } from "./words.js";

/**
 * @param {(name: string) => void} ready somebody wants to join, and has a name now
 * @returns {{ show: (username: string, count: number | undefined) => void }} for somebody with this
 *   login, perhaps empty, before a meeting of so many people, if that is known
 */
export function lobby(ready) {
  const people = byId("present", HTMLElement);
  const name = byId("name", HTMLInputElement);

  byId("ready", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    ready(tidy(name.value) || name.placeholder);
  });

  return {
    show(username, count) {
      people.hidden = count === undefined;
      say(people, present(count ?? 0));
      name.value = tidy(username);
      name.placeholder = `Guest ${100 + Math.floor(Math.random() * 900)}`;
      name.focus();
    },
  };
}
