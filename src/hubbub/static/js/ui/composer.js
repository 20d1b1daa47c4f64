/**
 * The box to write in: grows with its text, sends by Enter, counts as the server does.
 */

import { say } from "./dom.js";

const MOST = 4000;
const COUNT_FROM = 3600;

/**
 * @typedef {object} Parts
 * @property {HTMLFormElement} form
 * @property {HTMLElement} grow what mirrors the text, to be as high as it
 * @property {HTMLTextAreaElement} text
 * @property {HTMLButtonElement} send
 * @property {HTMLElement} counter
 */

/**
 * @param {Parts} parts
 * @param {(content: string) => void} submit gets 1 to 4,000 characters, not only white space
 */
export function composer({ form, grow, text, send, counter }, submit) {
  const update = () => {
    const content = trimmed(text.value);
    // Characters as the server counts them, not UTF-16 units.
    const length = [...content].length;
    grow.dataset.text = `${text.value}\n`;
    send.disabled = !content || length > MOST;
    const over = length > MOST;
    counter.classList.toggle("over", over);
    text.setAttribute("aria-invalid", String(over));
    if (over) say(counter, `${length - MOST} characters too many`);
    else say(counter, length < COUNT_FROM ? "" : `${MOST - length} characters left`);
  };
  text.addEventListener("input", update);
  text.addEventListener("keydown", (event) => {
    // Enter also ends the composition of a character; that one sends nothing.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    update();
    if (send.disabled) return;
    submit(trimmed(text.value));
    text.value = "";
    update();
    text.focus();
  });
  update();
}

/** @param {string} text */
function trimmed(text) {
  return text.replace(/^\s*\n/, "").trimEnd();
}
