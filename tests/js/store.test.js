import { instant, rows } from "/static/js/rows.js";
import { initial, reduce } from "/static/js/store.js";
import { Client, equal, ok } from "./fakes.js";

export async function test_a_message_is_pending_until_its_echo_and_keeps_its_place() {
  const client = new Client();
  const socket = await client.connect();
  client.write("hello");
  equal(client.drafts, ["hello: sent"]);
  equal(socket.sent, [{ content: "hello", client_id: "key of hello" }]);
  client.world.post("hello", 1, socket);
  equal(client.drafts, []);
  equal(client.state.messages[0].key, "key of hello");
}

export async function test_the_words_of_another_are_no_echo() {
  const client = new Client();
  const socket = await client.connect();
  client.write("hello");
  client.world.post("hello", 2, socket);
  equal(client.drafts, ["hello: sent"]);
}

export async function test_what_is_written_without_a_connection_is_sent_by_the_next_in_order() {
  const client = new Client();
  await client.connect();
  client.world.socket.end();
  client.write("one");
  client.write("two");
  equal(client.drafts, ["one: queued", "two: queued"]);
  client.world.pass(20_000);
  await client.greeted();
  equal(
    client.world.socket.sent.map(({ content }) => content),
    ["one", "two"],
  );
}

export async function test_a_message_that_did_not_arrive_before_the_break_is_sent_again() {
  const client = new Client();
  await client.connect();
  client.write("hello");
  const socket = await client.reconnect();
  equal(socket.sent, [{ content: "hello", client_id: "key of hello" }]);
}

export async function test_a_message_that_arrived_before_the_break_is_not_sent_again() {
  const client = new Client();
  await client.connect();
  client.write("hello");
  client.world.post("hello", 1);
  const socket = await client.reconnect();
  equal(socket.sent, []);
  equal(client.contents, ["hello"]);
  equal(client.drafts, []);
}

export async function test_of_two_alike_only_the_one_that_did_not_arrive_is_sent_again() {
  const client = new Client();
  await client.connect();
  client.write("hello", "first");
  client.write("hello", "second");
  client.world.post("hello", 1);
  const socket = await client.reconnect();
  equal(
    socket.sent.map(({ client_id }) => client_id),
    ["second"],
  );
}

export async function test_an_older_message_in_the_same_words_is_not_taken_for_it() {
  const client = new Client();
  client.world.post("hello", 1);
  await client.connect();
  client.write("hello");
  const socket = await client.reconnect();
  equal(socket.sent.length, 1);
}

export async function test_nor_is_one_that_scrolling_up_brings() {
  const client = new Client();
  const mine = client.world.post("hello", 1);
  for (let number = 0; number < 50; number += 1) client.world.post(`m${number}`);
  await client.connect();
  client.write("hello");
  client.tell({ type: "older", messages: await client.link.older(mine.id + 1), more: false });
  equal(client.contents[0], "hello");
  equal(client.drafts, ["hello: sent"]);
}

export async function test_what_breaks_the_connection_each_time_fails_in_the_end() {
  const client = new Client();
  await client.connect();
  client.write("poison");
  for (let times = 0; times < 3; times += 1) await client.reconnect();
  equal(client.drafts, ["poison: failed"]);
  ok(client.state.drafts[0].reason, "it says why");
}

export async function test_an_error_fails_the_message_it_answers() {
  const client = new Client();
  const socket = await client.connect();
  client.write("bad");
  socket.deliver({ type: "error", message: "Too fast." });
  equal(client.drafts, ["bad: failed"]);
  equal(client.state.drafts[0].reason, "Too fast.");
}

export async function test_an_error_among_several_waits_for_the_echoes_of_the_others() {
  const client = new Client();
  const socket = await client.connect();
  for (const content of ["one", "two", "three"]) client.write(content);
  socket.deliver({ type: "error", message: "No." });
  client.world.post("one", 1, socket);
  equal(client.drafts, ["two: sent", "three: sent"]);
  client.world.post("three", 1, socket);
  equal(client.drafts, ["two: failed"]);
}

export async function test_a_failed_message_can_be_tried_again_or_discarded() {
  const client = new Client();
  const socket = await client.connect();
  client.write("bad");
  socket.deliver({ type: "error", message: "No." });
  client.tell({ type: "retried", key: "key of bad" });
  equal(client.drafts, ["bad: sent"]);
  socket.deliver({ type: "error", message: "No." });
  client.tell({ type: "discarded", key: "key of bad" });
  equal(client.drafts, []);
}

export async function test_a_failed_message_that_arrives_after_all_is_no_failure() {
  const client = new Client();
  const socket = await client.connect();
  client.write("late");
  client.tell({ type: "overdue" });
  equal(client.drafts, ["late: failed"]);
  client.world.post("late", 1, socket);
  equal(client.drafts, []);
}

export async function test_an_echo_belongs_to_what_is_out_rather_than_to_what_failed_before() {
  const client = new Client();
  const socket = await client.connect();
  client.write("again", "first");
  socket.deliver({ type: "error", message: "No." });
  client.write("again", "second");
  client.world.post("again", 1, socket);
  equal(
    client.state.drafts.map(({ key }) => key),
    ["first"],
  );
}

export async function test_messages_come_by_rising_id_however_they_arrive() {
  const client = new Client();
  const socket = await client.connect();
  const [one, two, three] = ["one", "two", "three"].map((content) => client.world.post(content));
  for (const message of [three, one, two, three]) socket.deliver({ type: "message", ...message });
  equal(client.contents, ["one", "two", "three"]);
}

export async function test_unread_messages_count_while_nobody_looks() {
  const client = new Client();
  const socket = await client.connect();
  client.tell({ type: "attention", attentive: false });
  const first = client.world.post("one", 2, socket);
  client.world.post("two", 2, socket);
  client.world.post("mine", 1, socket);
  equal([client.state.unread, client.state.unreadFrom], [2, first.id]);
  client.tell({ type: "attention", attentive: true });
  equal([client.state.unread, client.state.unreadFrom], [0, first.id]);
  client.write("answer");
  equal(client.state.unreadFrom, null);
}

export async function test_what_was_missed_is_unread_and_what_is_older_is_not() {
  const client = new Client();
  for (let number = 0; number < 60; number += 1) client.world.post(`m${number}`);
  await client.connect();
  client.tell({ type: "attention", attentive: false });
  equal(client.state.unread, 0);
  client.world.post("missed");
  await client.reconnect();
  const messages = await client.link.older(client.state.messages[0].id);
  client.tell({ type: "older", messages, more: false });
  equal([client.state.unread, client.state.messages.length], [1, 61]);
}

export async function test_presence_is_who_came_or_spoke_and_has_not_left() {
  const client = new Client();
  const socket = await client.connect();
  socket.deliver({ type: "user_joined", user_id: 3, username: "bob" });
  client.world.post("hi", 2, socket);
  equal([...client.state.here.values()], ["", "bob", "alice"]);
  socket.deliver({ type: "user_left", user_id: 3, username: "bob" });
  equal([...client.state.here.keys()], [1, 2]);
  await client.reconnect();
  equal([...client.state.here.keys()], [1]);
}

export async function test_somebody_who_reloads_is_one_note() {
  const client = new Client();
  const socket = await client.connect();
  for (let times = 0; times < 3; times += 1) {
    socket.deliver({ type: "user_left", user_id: 2, username: "alice" });
    socket.deliver({ type: "user_joined", user_id: 2, username: "alice" });
  }
  const notes = rows(client.state).filter(({ kind }) => kind === "note");
  equal(
    notes.map(({ text }) => text),
    ["alice reconnected"],
  );
}

export function test_nothing_is_changed_in_place() {
  const before = JSON.stringify(initial);
  let state = reduce(initial, { type: "connected", userId: 1 });
  state = reduce(state, { type: "written", key: "k", content: "x", at: 0 });
  reduce(state, { type: "joined", userId: 2, name: "alice" });
  equal(JSON.stringify(initial), before);
  equal([...initial.here], []);
}

export function test_times_are_utc_however_they_are_written() {
  for (const text of ["2025-11-22 10:30:00", "2025-11-22T10:30:00Z", "2025-11-22T11:30:00+01:00"]) {
    equal(instant(text).toISOString(), "2025-11-22T10:30:00.000Z");
  }
}

function shown(...messages) {
  const list = messages.map(([sender, time], at) => ({
    id: at + 1,
    content: "x",
    sender_id: sender,
    sender_name: `u${sender}`,
    conversation_id: 1,
    created_at: time,
  }));
  let state = reduce(initial, { type: "connected", userId: 1 });
  state = reduce(state, { type: "latest", messages: list, more: true });
  return rows(state).map((row) =>
    row.kind === "message"
      ? `${row.first ? "(" : ""}${row.senderId}${row.last ? ")" : ""}`
      : row.kind,
  );
}

export function test_neighbours_of_one_sender_are_grouped_by_minutes_and_days() {
  equal(
    shown(
      [1, "2025-11-22 10:30:00"],
      [1, "2025-11-22 10:31:00"],
      [2, "2025-11-22 10:32:00"],
      [2, "2025-11-22 10:40:00"],
    ),
    ["day", "(1", "1)", "(2)", "(2)"],
  );
  equal(shown([1, "2025-11-20 12:00:00"], [1, "2025-11-22 12:00:00"]), [
    "day",
    "(1)",
    "day",
    "(1)",
  ]);
}

export async function test_a_failed_message_stands_alone_with_its_reason() {
  const client = new Client();
  const socket = await client.connect();
  client.write("bad");
  socket.deliver({ type: "error", message: "No." });
  client.write("good");
  const [bad, good] = rows(client.state).filter(({ kind }) => kind === "message");
  equal([bad.last, bad.reason, good.first], [true, "No.", true]);
}

export function test_rows_have_unique_keys_even_when_clocks_go_back() {
  let state = reduce(initial, { type: "connected", userId: 1 });
  const days = ["2025-11-22 12:00:00", "2025-11-20 12:00:00", "2025-11-22 12:00:00"];
  const messages = days.map((created_at, at) => ({
    id: at + 1,
    content: "x",
    sender_id: 2,
    sender_name: "a",
    created_at,
  }));
  state = reduce(state, { type: "latest", messages, more: false });
  state = reduce(state, { type: "joined", userId: 3, name: "bob" });
  const keys = rows(state).map(({ key }) => key);
  equal(new Set(keys).size, keys.length);
}
