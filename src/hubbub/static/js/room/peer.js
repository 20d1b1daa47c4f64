/**
 * One `RTCPeerConnection`, negotiated as "perfect negotiation" (W3C WebRTC 1.0, 10.7): either side
 * may make an offer at any time, and when both do at once the polite one gives way.
 *
 * Both lines are for sending from the start, with a track or without one. Changing directions would
 * need an offer for every press of a button, and Chromium may show no picture after an offer that
 * was taken back. So what is sent is told beside it, as `media`.
 */

/**
 * @typedef {"connecting" | "connected" | "interrupted" | "failed"} Phase
 * @typedef {import("./meeting.js").SignalType} SignalType
 * @typedef {{ audio: MediaStreamTrack | null, video: MediaStreamTrack | null }} Tracks
 *
 * @typedef {object} Surroundings
 * @property {RTCPeerConnection} connection
 * @property {boolean} polite exactly one of the two peers is
 * @property {MediaStream} stream what tracks are sent as belonging to
 * @property {MediaStream} received gets the tracks of the other
 * @property {() => Tracks} tracks what is to be sent now
 * @property {(type: SignalType, data: unknown) => void} send
 * @property {() => void} changed `phase`, `slow`, `picture` or `muted` has
 * @property {import("../api.js").World} world
 */

/** @type {["audio", "video"]} */
const KINDS = ["audio", "video"];
const CONNECT_WITHIN = 30_000;
const CONNECT_SOON = 10_000;

export class Peer {
  /** @type {Phase} */
  phase = "connecting";
  /** Whether a connection takes longer than one usually does. */
  slow = false;
  /** Whether the other sends a picture; who says nothing about it does. */
  picture = true;
  /** Whether the other says to be muted. */
  muted = false;
  #making = false;
  #restarted = false;
  /** Candidates that came before the description they belong to. @type {any[]} */
  #early = [];
  /** Signals are worked off one by one, in the order they came. */
  #turn = Promise.resolve();
  /** @type {number[]} */
  #timers = [];
  #around;
  #pc;

  /** @param {Surroundings} around */
  constructor(around) {
    this.#around = around;
    this.#pc = around.connection;
    this.#pc.onnegotiationneeded = () => this.#describe();
    this.#pc.onicecandidate = ({ candidate }) => this.#trickle(candidate);
    this.#pc.onconnectionstatechange = () => this.#moved();
    this.#pc.ontrack = ({ track }) => around.received.addTrack(track);
    this.#expect();
  }

  get received() {
    return this.#around.received;
  }

  /** Begins the call. Only one of the two does. */
  offer() {
    for (const kind of KINDS) this.#pc.addTransceiver(kind);
    this.#attach();
  }

  /** Sends what `tracks` says from now on. */
  send() {
    this.#attach();
    this.#tell();
  }

  #attach() {
    const tracks = this.#around.tracks();
    for (const kind of KINDS) {
      const transceiver = this.#pc
        .getTransceivers()
        .find(({ receiver }) => receiver.track.kind === kind);
      if (!transceiver) continue;
      transceiver.sender.replaceTrack(tracks[kind]).catch(() => this.#fail());
      if (transceiver.direction === "sendrecv" && transceiver.mid) continue;
      transceiver.sender.setStreams(this.#around.stream);
      transceiver.direction = "sendrecv";
    }
  }

  #tell() {
    const { audio, video } = this.#around.tracks();
    this.#around.send("media", { audio: Boolean(audio?.enabled), video: Boolean(video) });
  }

  /**
   * @param {SignalType} type
   * @param {any} data
   * @returns {Promise<void>} when it has been worked off
   */
  receive(type, data) {
    this.#turn = this.#turn.then(() => this.#take(type, data)).catch(() => this.#fail());
    return this.#turn;
  }

  /** Ends the call with this peer; nothing is told any more. */
  close() {
    this.#rest();
    this.#around.changed = this.#around.send = () => {};
    this.#pc.close();
  }

  /**
   * @param {SignalType} type
   * @param {any} data
   */
  async #take(type, data) {
    switch (type) {
      case "offer":
      case "answer":
        return this.#description(type, data);
      case "ice-candidate":
        return this.#candidate(data);
      case "media":
        this.picture = data?.video !== false;
        this.muted = data?.audio === false;
        this.#around.changed();
    }
  }

  async #describe() {
    this.#making = true;
    try {
      await this.#pc.setLocalDescription();
      this.#say();
    } catch {
      this.#fail();
    } finally {
      this.#making = false;
    }
  }

  #say() {
    const description = this.#pc.localDescription;
    if (!description || !(description.type === "offer" || description.type === "answer")) return;
    this.#around.send(description.type, { type: description.type, sdp: description.sdp });
    this.#tell();
  }

  /** @param {RTCIceCandidate | null} candidate null after the last */
  #trickle(candidate) {
    // Some browsers tell the end twice: as an empty candidate and as null.
    if (candidate?.candidate === "") return;
    this.#around.send("ice-candidate", {
      candidate: candidate?.candidate ?? "",
      sdpMLineIndex: candidate?.sdpMLineIndex ?? 0,
      sdpMid: candidate?.sdpMid ?? null,
    });
  }

  /** @param {any} data */
  async #candidate(data) {
    if (!this.#pc.remoteDescription) {
      this.#early.push(data);
      return;
    }
    try {
      await this.#pc.addIceCandidate(data?.candidate ? data : undefined);
    } catch {
      // It belongs to an offer that was ignored, or is of a kind this browser does not know. What
      // matters is whether the call connects, and that is told by the connection.
    }
  }

  /**
   * @param {"offer" | "answer"} type
   * @param {any} data
   */
  async #description(type, data) {
    const pc = this.#pc;
    const collision = type === "offer" && (this.#making || pc.signalingState !== "stable");
    if (collision && !this.#around.polite) return;
    // An answer without an offer is one to an offer that was taken back.
    if (type === "answer" && pc.signalingState !== "have-local-offer") return;
    await pc.setRemoteDescription({ type, sdp: data?.sdp });
    for (const candidate of this.#early.splice(0)) await this.#candidate(candidate);
    if (type === "answer") return;
    this.#attach();
    await pc.setLocalDescription();
    this.#say();
  }

  #moved() {
    switch (this.#pc.connectionState) {
      case "connected":
        this.#rest();
        this.#restarted = this.slow = false;
        this.#enter("connected");
        break;
      case "disconnected":
        this.#expect();
        this.#enter("interrupted");
        break;
      case "failed":
        if (this.#restarted) {
          this.#fail();
          break;
        }
        this.#restarted = true;
        this.#expect();
        this.#enter(this.phase === "connecting" ? "connecting" : "interrupted");
        // Both lose the connection; one offer is enough to make another.
        if (!this.#around.polite) this.#pc.restartIce();
        break;
    }
  }

  /** Lets the call take its time, and no longer. */
  #expect() {
    const { world } = this.#around;
    this.#rest();
    this.#timers = [
      world.setTimeout(() => this.#linger(), CONNECT_SOON),
      world.setTimeout(() => this.#fail(), CONNECT_WITHIN),
    ];
  }

  #rest() {
    for (const timer of this.#timers) this.#around.world.clearTimeout(timer);
  }

  #linger() {
    this.slow = true;
    this.#around.changed();
  }

  #fail() {
    // What flows goes on flowing, whatever the other says.
    const { connectionState } = this.#pc;
    if (connectionState !== "connected" && connectionState !== "closed") this.#enter("failed");
  }

  /** @param {Phase} phase */
  #enter(phase) {
    if (this.phase === phase) return;
    this.phase = phase;
    this.#around.changed();
  }
}
