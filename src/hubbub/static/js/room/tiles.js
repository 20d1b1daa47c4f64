/**
 * Everybody in the meeting, each in a tile: a picture, or a disc where there is none, a name, and
 * what is wrong.
 */

import { avatar, element, icon, say } from "../ui/dom.js";

/**
 * @typedef {object} Seen
 * @property {string} key the same for the same person
 * @property {string} name
 * @property {MediaStream} stream
 * @property {boolean} picture whether `stream` shows something
 * @property {boolean} self
 * @property {boolean} muted whether a sign says that they are not heard
 * @property {string} note what is wrong, empty when nothing is
 *
 * @typedef {{ node: HTMLLIElement, video: HTMLVideoElement, note: HTMLElement }} Tile
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
    const { node, video, note } = tile;
    if (video.srcObject !== person.stream) {
      video.srcObject = person.stream;
      this.#start(video);
    }
    node.classList.toggle("blank", !person.picture);
    node.classList.toggle("muted", person.muted);
    say(note, person.note);
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
function build({ name, self, stream }) {
  const video = element("video", "");
  video.autoplay = video.playsInline = true;
  // Nobody wants to hear themselves.
  video.muted = self;
  video.srcObject = stream;
  video.setAttribute("aria-label", self ? "Your picture" : `Picture of ${name}`);
  const note = element("p", "note");
  const muted = element("span", "visually-hidden", "Muted");
  const sign = element("span", "sign", icon("mic-off"), muted);
  const label = element("p", "label", sign, element("span", "name", name));
  const cover = element("div", "cover", avatar(name));
  const node = element("li", self ? "tile own" : "tile", video, cover, note, label);
  return { node, video, note };
}
