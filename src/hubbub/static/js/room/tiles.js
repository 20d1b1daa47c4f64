/**
 * Everybody in the meeting, each in a tile: a picture, or a disc where there is none, a name, and
 * what is wrong.
 */

import { avatar, element, icon, say } from "../ui/dom.js";
import { initials } from "./names.js";

/**
 * @typedef {object} Seen
 * @property {string} key the same for the same person
 * @property {string} name
 * @property {string} label what stands for the name; one's own picture says "You"
 * @property {MediaStream} stream
 * @property {boolean} picture whether `stream` shows something
 * @property {boolean} self
 * @property {boolean} muted whether a sign says that they are not heard
 * @property {string} note what is wrong, empty when nothing is
 *
 * @typedef {object} Tile
 * @property {HTMLLIElement} node
 * @property {HTMLVideoElement} video
 * @property {HTMLElement} cover
 * @property {HTMLElement} note
 * @property {HTMLElement} label
 * @property {string} name that it shows
 */

export class Tiles {
  /** @type {Map<string, Tile>} */
  #tiles = new Map();
  #list;
  #blocked;

  /**
   * @param {HTMLElement} list
   * @param {() => void} blocked the browser does not play sound before somebody presses something
   */
  constructor(list, blocked) {
    this.#list = list;
    this.#blocked = blocked;
  }

  /** @param {Seen[]} people everybody; oneself is shown last */
  render(people) {
    const keys = new Set(people.map(({ key }) => key));
    for (const [key, { node, video }] of this.#tiles) {
      if (keys.has(key)) continue;
      video.srcObject = null;
      node.remove();
      this.#tiles.delete(key);
    }
    for (const person of people) this.#show(person);
    this.#list.dataset.count = String(people.length);
  }

  /** Plays everything, as a press of a button allows. */
  play() {
    for (const { video } of this.#tiles.values()) this.#start(video);
  }

  /** @param {Seen} person */
  #show(person) {
    let tile = this.#tiles.get(person.key);
    if (!tile) {
      tile = build(person);
      this.#tiles.set(person.key, tile);
      this.#list.append(tile.node);
      this.#start(tile.video);
    }
    const { node, video, note, label } = tile;
    if (video.srcObject !== person.stream) {
      video.srcObject = person.stream;
      this.#start(video);
    }
    node.classList.toggle("blank", !person.picture);
    node.classList.toggle("muted", person.muted);
    say(note, person.note);
    say(label, person.label);
    if (tile.name === person.name) return;
    tile.name = person.name;
    tile.cover.replaceChildren(avatar(person.name, initials(person.name)));
    const words = person.self ? "Your picture" : `Picture of ${person.name}`;
    video.setAttribute("aria-label", words);
  }

  /** @param {HTMLVideoElement} video */
  async #start(video) {
    try {
      await video.play();
    } catch (error) {
      // Any other failure is one of having nothing to play yet, or no more.
      if (error instanceof Error && error.name === "NotAllowedError") this.#blocked();
    }
  }
}

/**
 * @param {Seen} person
 * @returns {Tile}
 */
function build({ self, stream }) {
  const video = element("video", "");
  video.autoplay = video.playsInline = true;
  // Nobody wants to hear themselves.
  video.muted = self;
  video.srcObject = stream;
  const note = element("p", "note");
  const muted = element("span", "visually-hidden", "Muted");
  const sign = element("span", "sign", icon("mic-off"), muted);
  const label = element("bdi", "name");
  const foot = element("p", "label", sign, label);
  const cover = element("div", "cover");
  const node = element("li", self ? "tile own" : "tile", video, cover, note, foot);
  return { node, video, cover, note, label, name: "" };
}
