/**
 * Perfect negotiation, between real connections of one browser: who says what, and that both agree
 * in the end.
 */

import { Peer } from "/static/js/room/peer.js";
import { equal, FakeWorld, ok, turn, until } from "./fakes.js";

/** One end of a wire. What is said is told to the other end only by `Wire.carry`. */
class End {
  said = [];
  tracks = { audio: null, video: null };
  changes = 0;

  constructor(world, polite) {
    this.pc = new RTCPeerConnection();
    this.peer = new Peer({
      connection: this.pc,
      polite,
      stream: new MediaStream(),
      received: new MediaStream(),
      tracks: () => this.tracks,
      send: (type, data) => this.said.push({ type, data }),
      changed: () => (this.changes += 1),
      world,
    });
  }

  get descriptions() {
    return this.said.filter(({ type }) => type === "offer" || type === "answer");
  }

  /** Waits until it has something to say. */
  speaks(type) {
    return until(() => this.said.some((signal) => signal.type === type), `it says ${type}`);
  }

  get directions() {
    return this.pc.getTransceivers().map(({ currentDirection }) => currentDirection);
  }
}

class Wire {
  world = new FakeWorld();
  polite = new End(this.world, true);
  rude = new End(this.world, false);

  /** Takes everything said so far, and what is answered to it, to the other side. */
  async carry() {
    let quiet = 0;
    while (quiet < 20) {
      quiet += 1;
      for (const [from, to] of [
        [this.polite, this.rude],
        [this.rude, this.polite],
      ]) {
        for (const { type, data } of from.said.splice(0)) {
          quiet = 0;
          await to.peer.receive(type, data);
        }
      }
      await turn();
    }
  }

  async call() {
    this.rude.peer.offer();
    await this.rude.speaks("offer");
    await this.carry();
  }

  /** Waits until one sees the other's picture move, or knows that there is none. */
  async sees(who, picture) {
    const { peer } = this[who];
    equal(peer.picture, picture, `${who} expects a picture`);
    if (!picture) return;
    const video = document.createElement("video");
    video.muted = true;
    video.srcObject = peer.received;
    video.play().catch(() => {});
    await until(() => video.videoWidth > 0, `${who} sees a picture`);
    video.srcObject = null;
  }

  agreed() {
    equal([this.polite, this.rude].map(({ pc }) => pc.signalingState), ["stable", "stable"]);
    equal(this.polite.pc.remoteDescription.sdp, this.rude.pc.localDescription.sdp);
    equal(this.rude.pc.remoteDescription.sdp, this.polite.pc.localDescription.sdp);
  }

  close() {
    for (const { peer, tracks } of [this.polite, this.rude]) {
      tracks.video?.stop();
      peer.close();
    }
  }
}

/** Lets the browser do what it has queued. */
/** A camera that films something red. */
function picture() {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  const track = canvas.captureStream().getVideoTracks()[0];
  const draw = () => {
    context.fillStyle = `rgb(${200 + Math.round(performance.now() % 50)} 0 0)`;
    context.fillRect(0, 0, canvas.width, canvas.height);
    if (track.readyState === "live") requestAnimationFrame(draw);
  };
  draw();
  return track;
}

export async function test_a_call_has_one_line_for_sound_and_one_for_the_picture() {
  const wire = new Wire();
  wire.rude.tracks.video = picture();
  await wire.call();
  wire.agreed();
  for (const end of [wire.rude, wire.polite]) equal(end.directions, ["sendrecv", "sendrecv"]);
  await wire.sees("polite", true);
  await wire.sees("rude", false);
  equal([wire.polite.peer.muted, wire.rude.peer.muted], [true, true]);
  wire.close();
}

export async function test_a_camera_put_on_off_and_on_is_seen_without_an_offer() {
  const wire = new Wire();
  await wire.call();
  for (const on of [true, false, true]) {
    wire.polite.tracks.video?.stop();
    wire.polite.tracks.video = on ? picture() : null;
    wire.polite.peer.send();
    equal(wire.polite.descriptions, []);
    await wire.carry();
    await wire.sees("rude", on);
  }
  wire.agreed();
  wire.close();
}

export async function test_who_mutes_says_so() {
  const wire = new Wire();
  await wire.call();
  for (const enabled of [true, false]) {
    wire.polite.tracks.audio = { enabled, kind: "audio" };
    // Only what is said of it is of interest here: it is no track that could be sent.
    wire.polite.pc.getSenders()[0].replaceTrack = async () => {};
    wire.polite.peer.send();
    await wire.carry();
    equal(wire.rude.peer.muted, !enabled);
  }
  wire.close();
}

export async function test_when_both_make_offers_at_once_the_polite_one_gives_way() {
  const wire = new Wire();
  await wire.call();
  for (let round = 0; round < 5; round += 1) {
    for (const end of [wire.polite, wire.rude]) end.pc.restartIce();
    await wire.polite.speaks("offer");
    await wire.rude.speaks("offer");
    await wire.carry();
    wire.agreed();
  }
  wire.close();
}

export async function test_candidates_that_come_before_their_description_wait_for_it() {
  const wire = new Wire();
  const { rude, polite } = wire;
  rude.tracks.video = picture();
  rude.peer.offer();
  await rude.speaks("ice-candidate");
  const [offer] = rude.descriptions;
  const candidates = rude.said.filter(({ type }) => type === "ice-candidate");
  rude.said = [];
  for (const { type, data } of candidates) await polite.peer.receive(type, data);
  equal(polite.peer.phase, "connecting");
  await polite.peer.receive(offer.type, offer.data);
  await wire.carry();
  wire.agreed();
  ok(/a=candidate/.test(polite.pc.remoteDescription.sdp), "the early ones are in it");
  wire.close();
}

export async function test_the_end_of_candidates_is_said_and_taken() {
  const wire = new Wire();
  const { rude, polite } = wire;
  rude.pc.onicecandidate({ candidate: null });
  equal(rude.said, [
    { type: "ice-candidate", data: { candidate: "", sdpMLineIndex: 0, sdpMid: null } },
  ]);
  await wire.call();
  for (const data of [{ candidate: "" }, { candidate: null }, null]) {
    await polite.peer.receive("ice-candidate", data);
  }
  ok(polite.peer.phase !== "failed", "the call goes on");
  wire.close();
}

export async function test_an_answer_nobody_asked_for_is_let_go() {
  const wire = new Wire();
  await wire.call();
  const { sdp } = wire.polite.pc.localDescription;
  await wire.rude.peer.receive("answer", { type: "answer", sdp });
  wire.agreed();
  ok(wire.rude.peer.phase !== "failed", "the call goes on");
  wire.close();
}

export async function test_nonsense_fails_the_call_with_one_peer() {
  for (const data of [{ type: "offer", sdp: "nonsense" }, null, "v=0", {}]) {
    const wire = new Wire();
    await wire.rude.peer.receive("offer", data);
    equal(wire.rude.peer.phase, "failed");
    wire.close();
  }
}

/** As the browser tells of its connection. */
function become(end, state) {
  Object.defineProperty(end.pc, "connectionState", { value: state, configurable: true });
  end.pc.onconnectionstatechange();
}

export async function test_a_failed_connection_is_restarted_once_and_then_given_up() {
  const wire = new Wire();
  await wire.call();
  const { rude } = wire;
  become(rude, "connected");
  equal(rude.peer.phase, "connected");
  become(rude, "disconnected");
  equal(rude.peer.phase, "interrupted");
  const before = rude.pc.localDescription.sdp.match(/ice-ufrag:(\S+)/)[1];
  become(rude, "failed");
  equal(rude.peer.phase, "interrupted");
  await rude.speaks("offer");
  const after = rude.pc.localDescription.sdp.match(/ice-ufrag:(\S+)/)[1];
  ok(before !== after, "the offer is one of a restart");
  become(rude, "failed");
  equal(rude.peer.phase, "failed");
  become(rude, "connected");
  equal(rude.peer.phase, "connected");
  become(wire.polite, "failed");
  await turn();
  equal(wire.polite.descriptions, [], "one of the two makes the offer");
  wire.close();
}

export async function test_a_peer_that_never_connects_is_given_up_after_half_a_minute() {
  const wire = new Wire();
  wire.rude.peer.offer();
  wire.world.pass(9_999);
  equal(wire.rude.peer.slow, false);
  wire.world.pass(1);
  equal([wire.rude.peer.slow, wire.rude.changes], [true, 1]);
  wire.world.pass(19_999);
  equal(wire.rude.peer.phase, "connecting");
  wire.world.pass(1);
  equal(wire.rude.peer.phase, "failed");
  wire.close();
}

export async function test_a_closed_peer_says_and_tells_nothing_more() {
  const wire = new Wire();
  await wire.call();
  const { polite } = wire;
  const { changes } = polite;
  polite.peer.close();
  await polite.peer.receive("offer", { type: "offer", sdp: "v=0" });
  wire.world.pass(60_000);
  await turn();
  equal([polite.said.length, polite.changes], [0, changes]);
  wire.close();
}
