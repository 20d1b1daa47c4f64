/**
 * The microphone and the camera: asked for, muted, put off and on again, and what is wrong with
 * them.
 */

/**
 * @typedef {"audio" | "video"} Kind
 * @typedef {"off" | "asking" | "on" | "denied" | "missing" | "busy" | "insecure"} Status
 */

/** @type {Record<Kind, MediaTrackConstraints>} */
const WANTED = {
  audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
  // It is encoded once for each of the others.
  video: { width: { ideal: 640 }, height: { ideal: 360 }, frameRate: { ideal: 24 } },
};
/** @type {Record<string, Status>} */
const PROBLEMS = {
  NotAllowedError: "denied",
  SecurityError: "denied",
  NotFoundError: "missing",
  OverconstrainedError: "missing",
};

export class Devices {
  /** @type {Record<Kind, Status>} */
  status = { audio: "off", video: "off" };
  /** What may be sent; a muted microphone stays among them. @type {import("./peer.js").Tracks} */
  tracks = { audio: null, video: null };
  #source;
  #changed;
  #closed = false;

  /**
   * @param {Pick<MediaDevices, "getUserMedia"> | undefined} source browsers have it only for https
   *   and localhost
   * @param {() => void} changed `status` or `tracks` has
   */
  constructor(source, changed) {
    this.#source = source;
    this.#changed = changed;
  }

  /** Asks for both at once, and for each alone where there are not both. */
  async start() {
    this.#closed = false;
    const problem = await this.#ask("audio", "video");
    if (problem !== "missing" && problem !== "busy") return;
    await this.#ask("audio");
    await this.#ask("video");
  }

  /**
   * Mutes and unmutes the microphone, puts the camera off and on. One that was not to be had is
   * asked for again.
   * @param {Kind} kind
   */
  async toggle(kind) {
    const track = this.tracks[kind];
    if (this.status[kind] === "asking") return;
    if (!track) await this.#ask(kind);
    else if (kind === "audio") {
      track.enabled = !track.enabled;
      this.#set(track.enabled ? "on" : "off", kind);
    } else {
      // Only a camera that is stopped puts out its light.
      track.stop();
      this.tracks.video = null;
      this.#set("off", kind);
    }
  }

  /** Lets go of both. */
  stop() {
    this.#closed = true;
    for (const track of [this.tracks.audio, this.tracks.video]) track?.stop();
    this.tracks = { audio: null, video: null };
    this.#set("off", "audio", "video");
  }

  /**
   * @param {...Kind} kinds
   * @returns {Promise<Status>}
   */
  async #ask(...kinds) {
    if (!this.#source) return this.#set("insecure", ...kinds);
    this.#set("asking", ...kinds);
    let stream;
    try {
      stream = await this.#source.getUserMedia(
        Object.fromEntries(kinds.map((kind) => [kind, WANTED[kind]])),
      );
    } catch (error) {
      const name = error instanceof Error ? error.name : "";
      return this.#set(PROBLEMS[name] ?? "busy", ...kinds);
    }
    for (const track of stream.getTracks()) this.#take(track);
    return this.#set(this.#closed ? "off" : "on", ...kinds);
  }

  /** @param {MediaStreamTrack} track */
  #take(track) {
    // Whoever left while the browser was asking is not to be filmed.
    if (this.#closed) {
      track.stop();
      return;
    }
    const kind = /** @type {Kind} */ (track.kind);
    this.tracks[kind] = track;
    track.onended = () => {
      if (this.tracks[kind] !== track) return;
      this.tracks[kind] = null;
      this.#set("missing", kind);
    };
  }

  /**
   * @param {Status} status
   * @param {...Kind} kinds
   */
  #set(status, ...kinds) {
    for (const kind of kinds) this.status[kind] = status;
    this.#changed();
    return status;
  }
}
