/**
 * Building and finding nodes. Text is always text: nothing here or in its users parses markup.
 */

const SVG = "http://www.w3.org/2000/svg";
const SPRITE = new URL("../../img/icons.svg", import.meta.url).href;

/**
 * The element with this id, which the page must have.
 * @template {Element} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function byId(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`the page has no ${type.name} #${id}`);
  return found;
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {string} className
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function element(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

/**
 * @param {string} name in `img/icons.svg`
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${SPRITE}#${name}`);
  svg.append(use);
  return svg;
}

/**
 * Sets the text only where it differs, so that a live region does not speak again.
 * @param {Element} node
 * @param {string} text
 */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * @param {string} name
 * @param {string} [letters]
 * @returns {HTMLElement} a disc with an initial; the same name always has the same colour
 */
export function avatar(name, letters = ([...name][0] ?? "?").toUpperCase()) {
  const sum = [...name].reduce(
    (total, letter) => (total * 31 + (letter.codePointAt(0) ?? 0)) % 997,
    7,
  );
  const disc = element("span", `avatar hue-${sum % 8}`, letters);
  disc.setAttribute("aria-hidden", "true");
  return disc;
}

const ADDRESS = /https?:\/\/[^\s<>"]+/g;
const AFTERWARDS = /[.,;:!?)\]}'»”]+$/;

/**
 * @param {string} text
 * @returns {(Node | string)[]} the text, with its web addresses as links
 */
export function linked(text) {
  /** @type {(Node | string)[]} */
  const parts = [];
  let done = 0;
  for (const found of text.matchAll(ADDRESS)) {
    const address = found[0].replace(AFTERWARDS, "");
    if (!URL.canParse(address)) continue;
    const link = element("a", "", address);
    link.href = address;
    link.target = "_blank";
    link.rel = "noopener noreferrer";
    parts.push(text.slice(done, found.index), link);
    done = found.index + address.length;
  }
  parts.push(text.slice(done));
  return parts;
}
