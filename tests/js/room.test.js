/**
 * The meeting's socket, its people, its devices and its words, with an outside driven by hand.
 */

import { Api } from "/static/js/api.js";
import { Devices } from "/static/js/room/devices.js";
import { Meeting, possible } from "/static/js/room/meeting.js";
import { Mesh } from "/static/js/room/mesh.js";
import { initials, remember, remembered, tidy, unnamed } from "/static/js/room/names.js";
import * as words from "/static/js/room/words.js";
import { equal, FakeWorld, ok, settled, until } from "./fakes.js";

const SOMEBODY = "550e8400-e29b-41d4-a716-446655440000";
const ANOTHER = "650e8400-e29b-41d4-a716-446655440000";

function enter(token = "") {
  const world = new FakeWorld();
  const events = [];
  const meeting = new Meeting(new Api("http://hubbub.test/", world), "the-key", (event) =>
    events.push(event),
  );
  meeting.token = token;
  meeting.open();
  return { world, events, meeting };
}

function connected(world, id = "me") {
  world.socket.deliver({ type: "connected", user_id: id, room_id: "the-key", message: "Hello" });
}

export async function test_a_meeting_is_joined_by_the_documents_path() {
  const { world, events } = enter();
  equal(world.socket.url, "ws://hubbub.test/ws/the-key");
  equal(world.socket.protocols, []);
  connected(world);
  equal(events, [{ type: "connecting" }, { type: "connected", id: "me" }]);
}

export async function test_some_addresses_are_of_no_meeting() {
  for (const key of ["550e8400-e29b", "123", "Room_1.~"]) ok(possible(key), key);
  for (const key of ["", "v1", "auth", "a%20b", "a".repeat(129)]) ok(!possible(key), `no ${key}`);
}

export async function test_a_login_goes_in_the_subprotocol() {
  const { world } = enter("the-token");
  equal(world.socket.url, "ws://hubbub.test/ws/the-key");
  equal(world.socket.protocols, ["bearer", "the-token"]);
}

export async function test_the_documents_frames_are_told() {
  const { world, events } = enter();
  connected(world);
  const data = { sdp: "v=0", type: "offer" };
  world.socket.deliver({ type: "user-joined", user_id: "x", room_id: "the-key" });
  world.socket.deliver({ type: "offer", room_id: "the-key", sender_id: "x", data });
  world.socket.deliver({ type: "something-newer", sender_id: "x" });
  world.socket.deliver({ type: "error", message: "No." });
  world.socket.deliver({ type: "user-left", user_id: "x", room_id: "the-key" });
  equal(events.slice(2), [
    { type: "joined", id: "x" },
    { type: "signal", from: "x", signal: "offer", data },
    { type: "left", id: "x" },
  ]);
}

export async function test_a_signal_names_its_addressee_and_waits_for_no_connection() {
  const { world, meeting } = enter();
  meeting.signal("x", "offer", { sdp: "too early" });
  connected(world);
  meeting.signal("x", "offer", { sdp: "v=0" });
  world.socket.end();
  meeting.signal("x", "offer", { sdp: "too late" });
  equal(world.sockets[0].sent, [
    { type: "offer", room_id: "the-key", target_id: "x", data: { sdp: "v=0" } },
  ]);
}

export async function test_closes_that_say_no_end_it() {
  const endings = { 4000: "disabled", 4001: "expired", 4003: "forbidden", 4004: "over" };
  for (const [code, why] of Object.entries(endings)) {
    const { world, events } = enter();
    world.socket.deliver({ type: "error", message: "No." });
    world.socket.end(Number(code));
    world.pass(60_000);
    equal(events.at(-1), { type: "ended", why }, code);
    equal(world.sockets.length, 1);
  }
}

export async function test_other_closes_are_told_and_tried_again_after_a_pause() {
  const reasons = { 1006: "lost", 1012: "restart", 1013: "crowded", 4200: "slow", 1008: "flooded" };
  for (const [code, why] of Object.entries(reasons)) {
    const { world, events } = enter();
    connected(world);
    world.socket.end(Number(code));
    equal(events.at(-1), { type: "waiting", until: world.now() + 500, why }, code);
    world.pass(499);
    equal(world.sockets.length, 1);
    world.pass(1);
    equal(world.sockets.length, 2);
  }
}

export async function test_pauses_grow_to_ten_seconds_until_a_connection_holds() {
  const { world, events } = enter();
  world.chance = 1;
  const pauses = [];
  const lose = () => {
    world.socket.end();
    pauses.push(events.at(-1).until - world.now());
    world.pass(pauses.at(-1));
  };
  for (let turn = 0; turn < 6; turn += 1) lose();
  connected(world);
  world.pass(10_000);
  lose();
  equal(pauses, [1000, 2000, 4000, 8000, 10_000, 10_000, 1000]);
}

export async function test_a_server_that_does_not_answer_is_given_up() {
  const { world, events } = enter();
  world.pass(10_000);
  equal(events.at(-1).type, "waiting");
  ok(world.sockets[0].closed, "the socket is closed");
}

export async function test_leaving_closes_with_a_handshake_and_nothing_is_told_after_it() {
  const { world, events, meeting } = enter();
  connected(world);
  meeting.close();
  world.sockets[0].deliver({ type: "user-joined", user_id: "x" });
  world.sockets[0].end(1000);
  world.pass(60_000);
  equal(world.sockets[0].closed, 1000);
  equal(events.length, 2);
  equal(world.sockets.length, 1);
}

/** People without a network: `sent` is what would go to them, `connections` what goes on here. */
function gather(id = "me") {
  const world = new FakeWorld();
  const sent = [];
  const connections = [];
  const connect = () => {
    const connection = new RTCPeerConnection();
    connections.push(connection);
    return connection;
  };
  const mesh = new Mesh({
    connect,
    newStream: () => new MediaStream(),
    tracks: () => ({ audio: null, video: null }),
    name: () => "Me",
    signal: (target, type) => sent.push(`${type} to ${target}`),
    changed: () => {},
    world,
  });
  mesh.enter(id);
  return { mesh, sent, connections, world };
}

export async function test_people_without_a_name_are_the_same_guests_for_everybody() {
  const { mesh } = gather();
  for (const id of [SOMEBODY, "alice", ANOTHER]) ok(mesh.joined(id), id);
  const called = [...mesh.people.values()].map(({ name }) => name);
  equal(called, ["Guest 550e", "alice", "Guest 650e"]);
  equal(mesh.left("alice"), "alice");
  equal(mesh.left("alice"), "");
  mesh.close();
}

export async function test_people_have_the_name_they_say() {
  const { mesh } = gather();
  mesh.joined(SOMEBODY);
  mesh.signal(SOMEBODY, "name", { name: " Ann\u202e\n Lee " });
  equal(mesh.people.get(SOMEBODY).name, "Ann Lee");
  for (const data of [undefined, null, {}, { name: 7 }, { name: "\u200b" }]) {
    mesh.signal(SOMEBODY, "name", data);
    equal(mesh.people.get(SOMEBODY).name, "Guest 550e", JSON.stringify(data));
  }
  mesh.signal(ANOTHER, "name", { name: "Nobody" });
  equal(mesh.people.size, 1);
  mesh.close();
}

export async function test_who_is_called_is_told_the_name_of_the_caller() {
  const { mesh, sent } = gather();
  mesh.joined(SOMEBODY);
  await until(() => sent.length >= 2, "an offer and a name are sent");
  equal(sent.slice(0, 2), [`offer to ${SOMEBODY}`, `name to ${SOMEBODY}`]);
  mesh.close();
}

export async function test_names_are_short_lines() {
  equal(tidy("a".repeat(1000)), "a".repeat(40));
  equal(tidy("\u{1f600}".repeat(41)), "\u{1f600}".repeat(40));
  equal(unnamed(""), "Guest");
  equal(["Ann", "Ann Mary Lee", "Guest 417", ""].map(initials), ["A", "AL", "G4", "?"]);
}

export async function test_a_name_is_kept_for_who_gave_it() {
  sessionStorage.clear();
  equal(remembered(""), "");
  remember("ann", "Ann Lee");
  equal([remembered("ann"), remembered("bob"), remembered("")], ["Ann Lee", "", ""]);
  sessionStorage.setItem("hubbub.name", "no JSON");
  equal(remembered("ann"), "");
  sessionStorage.clear();
}

export async function test_a_fifth_person_is_told_that_the_meeting_is_full() {
  const { mesh, sent, connections } = gather();
  for (const id of ["a", "b", "c"]) mesh.joined(id);
  equal(mesh.joined("d"), false);
  mesh.signal("e", "offer", { type: "offer", sdp: "v=0" });
  equal(sent, ["full to d"]);
  equal([...mesh.people.keys()], ["a", "b", "c"]);
  mesh.left("b");
  equal(mesh.joined("d"), true);
  mesh.close();
  ok(
    connections.every(({ connectionState }) => connectionState === "closed"),
    "all are closed",
  );
}

export async function test_somebody_cut_off_makes_room_for_whoever_comes() {
  const { mesh, world } = gather();
  for (const id of ["a", "b", "c"]) mesh.joined(id);
  world.pass(30_000);
  equal(mesh.people.get("a").peer.phase, "failed");
  equal(mesh.joined("d"), true);
  equal([...mesh.people.keys()], ["b", "c", "d"]);
  mesh.close();
}

export async function test_candidates_and_answers_of_strangers_make_nobody() {
  const { mesh } = gather();
  mesh.signal("x", "answer", { type: "answer", sdp: "v=0" });
  mesh.signal("x", "ice-candidate", { candidate: "" });
  equal(mesh.people.size, 0);
}

function failing(name) {
  return new DOMException("No.", name);
}

class FakeTrack {
  enabled = true;
  stopped = false;
  constructor(kind) {
    this.kind = kind;
  }
  stop() {
    this.stopped = true;
  }
}

/** A machine with the devices of `kinds`, each asked for once by `asked`. */
function machine(kinds, error) {
  const asked = [];
  const getUserMedia = async (wanted) => {
    asked.push(Object.keys(wanted).join("+"));
    if (error) throw failing(error);
    if (Object.keys(wanted).some((kind) => !kinds.includes(kind))) throw failing("NotFoundError");
    const tracks = Object.keys(wanted).map((kind) => new FakeTrack(kind));
    return { getTracks: () => tracks };
  };
  let changes = 0;
  const devices = new Devices({ getUserMedia }, () => (changes += 1));
  return { devices, asked, changes: () => changes };
}

export async function test_both_devices_are_asked_for_at_once() {
  const { devices, asked, changes } = machine(["audio", "video"]);
  await devices.start();
  equal(asked, ["audio+video"]);
  equal(devices.status, { audio: "on", video: "on" });
  equal(changes(), 2);
}

export async function test_one_missing_device_does_not_take_the_other_with_it() {
  const { devices, asked } = machine(["audio"]);
  await devices.start();
  equal(asked, ["audio+video", "audio", "video"]);
  equal(devices.status, { audio: "on", video: "missing" });
}

export async function test_who_refuses_is_asked_once_and_again_by_the_button() {
  const { devices, asked } = machine(["audio", "video"], "NotAllowedError");
  await devices.start();
  equal(devices.status, { audio: "denied", video: "denied" });
  await devices.toggle("audio");
  equal(asked, ["audio+video", "audio"]);
  equal(devices.status, { audio: "denied", video: "denied" });
}

export async function test_a_page_without_devices_is_insecure() {
  const devices = new Devices(undefined, () => {});
  await devices.start();
  equal(devices.status, { audio: "insecure", video: "insecure" });
}

export async function test_muting_keeps_the_microphone_and_the_camera_is_put_out() {
  const { devices, asked } = machine(["audio", "video"]);
  await devices.start();
  const { audio, video } = devices.tracks;
  await devices.toggle("audio");
  await devices.toggle("video");
  equal(devices.status, { audio: "off", video: "off" });
  equal([audio.enabled, devices.tracks.audio === audio], [false, true]);
  equal([video.stopped, devices.tracks.video], [true, null]);
  await devices.toggle("audio");
  await devices.toggle("video");
  equal(devices.status, { audio: "on", video: "on" });
  equal(audio.enabled, true);
  equal(asked, ["audio+video", "video"]);
}

export async function test_a_device_that_is_pulled_out_is_missing() {
  const { devices } = machine(["audio", "video"]);
  await devices.start();
  devices.tracks.video.onended();
  equal(devices.status, { audio: "on", video: "missing" });
  equal(devices.tracks.video, null);
}

export async function test_who_left_while_the_browser_asked_is_not_filmed() {
  let answer;
  const tracks = [new FakeTrack("audio"), new FakeTrack("video")];
  const source = { getUserMedia: () => new Promise((resolve) => (answer = resolve)) };
  const devices = new Devices(source, () => {});
  const started = devices.start();
  devices.stop();
  answer({ getTracks: () => tracks });
  await started;
  await settled();
  equal(
    tracks.map(({ stopped }) => stopped),
    [true, true],
  );
  equal(devices.status, { audio: "off", video: "off" });
}

export async function test_words_are_found_for_everything_that_goes_wrong() {
  const bad = ["denied", "missing", "busy", "insecure"];
  for (const one of bad) {
    for (const other of [...bad, "on", "off"]) ok(words.devices(one, other), `${one}, ${other}`);
  }
  equal(words.devices("on", "off"), "");
  equal(words.devices("on", "missing"), "There is no camera.");
  const until = 3000;
  for (const why of ["lost", "restart", "crowded", "flooded", "slow"]) {
    const link = { name: "waiting", until, why };
    ok(words.trouble(link, true), why);
    ok(words.trouble(link, false).startsWith("You are offline."), why);
    equal(words.status(link, 0, 1000), { tone: "down", text: "Reconnecting in 2 s" });
  }
  for (const why of ["over", "unknown", "forbidden", "disabled", "full", "gone", "last"]) {
    const { title, text } = words.shut(why);
    ok(title && text, why);
  }
  equal(words.status({ name: "live" }, 2, 0).text, "3 people");
  equal(words.status({ name: "live" }, 0, 0).text, "Waiting for others");
  equal(words.call("connecting", false, "Ann"), "Connecting…");
  ok(words.call("connecting", true, "Ann").startsWith("Still connecting to Ann"), "it is slow");
  equal([0, 1, 2].map(words.present), [
    "Nobody is there yet.",
    "One person is there.",
    "2 people are there.",
  ]);
  equal(words.left("Guest 1", 0), "Guest 1 left. You are alone in the meeting.");
  equal(words.left("Guest 1", 1), "Guest 1 left.");
}
