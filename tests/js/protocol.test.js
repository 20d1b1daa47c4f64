import { Client, FakeWorld, equal, ok, settled } from "./fakes.js";

export async function test_the_token_goes_in_the_subprotocol_and_in_no_address() {
  const client = new Client();
  const socket = await client.connect();
  equal(socket.url, "ws://hubbub.test/conversations/1/ws");
  equal(socket.protocols, ["bearer", "the-token"]);
  ok(
    client.world.requests.every(({ url }) => !url.includes("the-token")),
    "no address has the token",
  );
}

export async function test_it_is_live_once_the_latest_messages_are_there() {
  const client = new Client();
  client.world.post("one");
  client.link.open();
  equal(client.state.link, { name: "connecting", again: false });
  await client.greeted();
  equal(client.state.link, { name: "live" });
  equal(client.contents, ["one"]);
}

export async function test_what_was_missed_is_fetched_and_nothing_comes_twice() {
  const client = new Client();
  const { world } = client;
  world.post("before");
  const socket = await client.connect();
  world.post("live", 2, socket);
  socket.end();
  world.post("missed");
  world.pass(20_000);
  world.post("missed, too");
  world.socket.deliver({ type: "connection", status: "connected", conversation_id: 1, user_id: 1 });
  world.post("while catching up", 2, world.socket);
  await settled();
  equal(client.contents, ["before", "live", "missed", "missed, too", "while catching up"]);
}

export async function test_a_break_while_catching_up_leaves_no_gap() {
  const client = new Client();
  const { world } = client;
  world.post("one");
  const first = await client.connect();
  first.end();
  world.post("two");
  world.pass(20_000);
  world.faults.push("down");
  world.socket.deliver({ type: "connection", status: "connected", conversation_id: 1, user_id: 1 });
  world.post("three", 2, world.socket);
  await settled();
  equal(client.state.link.name, "waiting");
  world.pass(20_000);
  await client.greeted();
  equal(client.contents, ["one", "two", "three"]);
}

export async function test_many_missed_messages_are_read_page_by_page() {
  const client = new Client();
  client.world.post("first");
  await client.connect();
  for (let number = 0; number < 450; number += 1) client.world.post(`m${number}`);
  await client.reconnect();
  equal(client.state.messages.length, 451);
  equal(client.contents.at(-1), "m449");
}

export async function test_after_too_many_it_starts_afresh_without_a_gap() {
  const client = new Client();
  client.world.post("first");
  await client.connect();
  for (let number = 0; number < 1200; number += 1) client.world.post(`m${number}`);
  await client.reconnect();
  equal(
    client.contents,
    client.world.messages.slice(-50).map(({ content }) => content),
  );
  ok(client.state.more, "there are older ones");
}

export async function test_pauses_grow_from_half_a_second_to_twenty_with_jitter() {
  const world = new FakeWorld();
  const client = new Client(world);
  const pauses = (chance) => {
    world.chance = chance;
    world.socket.end();
    const pause = client.state.link.until - world.now();
    world.pass(pause);
    return Math.round(pause);
  };
  client.link.open();
  equal([1, 1, 1, 1, 1, 1, 1].map(pauses), [1000, 2000, 4000, 8000, 16000, 20000, 20000]);
  equal(pauses(0), 500);
}

export async function test_a_good_connection_makes_the_next_pause_short_again() {
  const client = new Client();
  const { world } = client;
  world.chance = 0.999;
  client.link.open();
  for (let attempt = 0; attempt < 5; attempt += 1) {
    world.socket.end();
    world.pass(20_000);
  }
  await client.greeted();
  world.pass(10_000);
  world.socket.end();
  ok(client.state.link.until - world.now() <= 1000, "a second at most");
}

export async function test_trying_at_once_does_not_open_a_second_connection() {
  const client = new Client();
  const { world } = client;
  await client.connect();
  world.socket.end();
  client.link.open();
  client.link.open();
  await client.greeted();
  world.pass(20_000);
  equal(world.sockets.length, 2);
}

export async function test_a_server_that_does_not_answer_in_time_is_given_up() {
  const client = new Client();
  const { world } = client;
  client.link.open();
  const silent = world.socket;
  world.pass(10_000);
  ok(silent.closed, "the silent one is closed");
  equal(client.state.link.name, "waiting");
  world.pass(20_000);
  equal(world.sockets.length, 2);
  silent.end();
  equal(client.state.link.name, "connecting", "what the old one does later does not matter");
}

export async function test_final_codes_end_it_and_say_why() {
  for (const [code, why] of [
    [4000, "disabled"],
    [4001, "expired"],
    [4003, "forbidden"],
    [4004, "unknown"],
  ]) {
    const client = new Client();
    client.link.open();
    client.world.socket.end(code);
    equal(client.state.link, { name: "ended", why });
    client.world.pass(60_000);
    equal(client.world.sockets.length, 1);
  }
}

export async function test_the_history_can_end_it_too() {
  for (const [status, why] of [
    [401, "expired"],
    [403, "forbidden"],
    [404, "unknown"],
  ]) {
    const client = new Client();
    client.world.faults.push(status);
    await client.connect();
    equal(client.state.link, { name: "ended", why });
    equal(client.world.socket.closed, 1000);
  }
}

export async function test_interruptions_say_why() {
  for (const [code, why] of [
    [1006, "lost"],
    [1012, "restart"],
    [1013, "crowded"],
    [1008, "flooded"],
    [4200, "lost"],
  ]) {
    const client = new Client();
    client.link.open();
    client.world.socket.end(code);
    equal(client.state.link.why, why);
  }
}

export async function test_a_server_that_fails_is_tried_again() {
  const client = new Client();
  client.world.faults.push(500);
  await client.connect();
  equal(client.state.link.name, "waiting");
  client.world.pass(20_000);
  await client.greeted();
  equal(client.state.link.name, "live");
}

export async function test_it_goes_on_after_ended_with_a_newer_token() {
  const client = new Client();
  const { world } = client;
  world.post("before");
  await client.connect();
  world.socket.end(4001);
  world.post("missed");
  client.link.token = "newer";
  client.link.open();
  equal(world.socket.protocols, ["bearer", "newer"]);
  await client.greeted();
  equal(client.contents, ["before", "missed"]);
}

export async function test_a_quiet_connection_that_delivers_no_more_is_replaced() {
  const client = new Client();
  const { world } = client;
  await client.connect();
  world.post("the socket does not bring this");
  world.pass(60_000);
  await settled();
  equal(client.state.link.name, "waiting");
  world.pass(20_000);
  await client.greeted();
  equal(client.contents, ["the socket does not bring this"]);
}

export async function test_a_quiet_connection_that_works_is_left_alone() {
  const client = new Client();
  await client.connect();
  for (let minute = 0; minute < 3; minute += 1) {
    client.world.pass(60_000);
    await settled();
  }
  equal(client.state.link.name, "live");
  equal(client.world.sockets.length, 1);
}

export async function test_losing_the_network_is_noticed_on_a_quiet_connection() {
  const client = new Client();
  await client.connect();
  client.world.faults.push("down");
  await client.link.check();
  equal(client.state.link.name, "waiting");
}

export async function test_after_close_nothing_is_told() {
  const client = new Client();
  const socket = await client.connect();
  const told = client.events.length;
  client.link.close();
  client.world.post("late", 2, socket);
  socket.end();
  client.world.pass(60_000);
  await settled();
  equal(client.events.length, told);
  equal(client.world.sockets.length, 1);
}

export async function test_frames_of_unknown_types_are_ignored() {
  const client = new Client();
  const socket = await client.connect();
  socket.deliver({ type: "something newer" });
  equal(client.state.link.name, "live");
}
