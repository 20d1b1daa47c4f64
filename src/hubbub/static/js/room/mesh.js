/**
 * Everybody else in the meeting: each page has a connection to each other page. Whoever is there
 * calls whoever comes, because document 002 tells those who are there of the newcomer, and the
 * newcomer of nobody.
 */

import { tidy, unnamed } from "./names.js";
import { Peer } from "./peer.js";

/** How many people a page connects, oneself among them: what each sends grows with every other. */
export const MOST = 4;

/**
 * @typedef {import("./meeting.js").SignalType} SignalType
 *
 * @typedef {object} Outside
 * @property {() => RTCPeerConnection} connect
 * @property {() => MediaStream} newStream
 * @property {() => import("./peer.js").Tracks} tracks what is to be sent now
 * @property {() => string} name what one is called
 * @property {(target: string, type: SignalType | "full", data?: unknown) => void} signal
 * @property {() => void} changed somebody came, left, or is seen otherwise than before
 * @property {import("../api.js").World} world
 */

export class Mesh {
  /** By their ids, in the order they came. @type {Map<string, { name: string, peer: Peer }>} */
  people = new Map();
  #id = "";
  #outside;
  #stream;

  /** @param {Outside} outside */
  constructor(outside) {
    this.#outside = outside;
    this.#stream = outside.newStream();
  }

  /**
   * Begins anew, as somebody new.
   * @param {string} id one's own
   */
  enter(id) {
    this.close();
    this.#id = id;
  }

  /**
   * @param {string} id
   * @returns {boolean} whether there is a place for them
   */
  joined(id) {
    this.left(id);
    const added = this.#add(id);
    if (!added) {
      this.#outside.signal(id, "full");
      return false;
    }
    added.peer.offer();
    return true;
  }

  /**
   * @param {string} id
   * @returns {string} the name they had here, empty when they had none
   */
  left(id) {
    const found = this.people.get(id);
    if (!found) return "";
    this.people.delete(id);
    found.peer.close();
    this.#outside.changed();
    return found.name;
  }

  /**
   * Takes what a peer says.
   * @param {string} from
   * @param {SignalType} type
   * @param {unknown} data
   */
  signal(from, type, data) {
    const found = this.people.get(from) ?? (type === "offer" ? this.#add(from) : undefined);
    if (!found) return;
    if (type === "name") this.#rename(from, found, data);
    else found.peer.receive(type, data);
  }

  /** Sends everybody what `tracks` says from now on. */
  send() {
    for (const { peer } of this.people.values()) peer.send();
  }

  /** Ends every call. */
  close() {
    for (const id of [...this.people.keys()]) this.left(id);
  }

  /**
   * @param {string} id
   * @param {{ name: string }} person
   * @param {any} data
   */
  #rename(id, person, data) {
    person.name = tidy(data?.name) || unnamed(id);
    this.#outside.changed();
  }

  /** Somebody who is cut off may well be the one who comes, with a new id. */
  #makeRoom() {
    const lost = [...this.people].find(([, { peer }]) => /interrupted|failed/.test(peer.phase));
    return lost && this.left(lost[0]);
  }

  /** @param {string} id */
  #add(id) {
    if (this.people.size >= MOST - 1 && !this.#makeRoom()) return undefined;
    const { connect, newStream, tracks, name, signal, changed, world } = this.#outside;
    const peer = new Peer({
      connection: connect(),
      polite: this.#id < id,
      stream: this.#stream,
      received: newStream(),
      tracks,
      send: (type, data) => {
        signal(id, type, data);
        // A newcomer has told everybody. Of those who were there it knows nobody.
        if (type === "offer") signal(id, "name", { name: name() });
      },
      changed,
      world,
    });
    const added = { name: unnamed(id), peer };
    this.people.set(id, added);
    changed();
    return added;
  }
}
