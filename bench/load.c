/* The load generator: one thread, many WebSockets over loopback, every message counted.
 *
 * load TARGET PORT PLAN IN_FLIGHT CONCURRENCY minimal|browser
 *
 * PLAN is a file with a line `room token` per connection. Lines of one room stand together and the
 * first of them is the room's sender; room `-` is none. Commands come on standard input, one a
 * line, and each answers with one line of JSON on standard output:
 *
 *   open COUNT            dials, upgrades and authenticates so many more (0: all that are left),
 *                         CONCURRENCY at once
 *   send COUNT SECONDS    every sender keeps IN_FLIGHT messages unacknowledged until it has sent
 *                         COUNT (0: any number) or SECONDS have passed (0: for ever); answers when
 *                         everything is acknowledged and delivered
 *   end                   waits until the sockets are quiet, answers and exits
 *
 * Between commands the sockets are served, so pings are answered. `messages`, `acks`,
 * `deliveries` and `seconds` are of this command; the faults are of the whole run:
 *
 *   lost      messages that a member of the room (or an ack that the sender) never got
 *   doubled   messages or acks that came again, or out of order
 *   refused   errors, and anything the target should not say
 *   closed    connections that the server ended */
#include "client.h"
#include "targets.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_IN_FLIGHT = 64, CONTENT = 128 };

struct connection {
    struct client client; /* the first member: a pointer to it is one to the connection */
    struct room *room;
    const char *token;
    unsigned next; /* the number of the message to be delivered next */
};

struct room {
    const char *name;
    struct connection *members; /* the first is the sender */
    unsigned size, sent, quota; /* sends until `sent` is `quota` */
    unsigned flying[MAX_IN_FLIGHT], flying_count;
};

static struct totals {
    unsigned long messages, acks, deliveries, lost, doubled, refused, closed;
} totals;

static const struct target *target;
static struct connection *connections;
static struct room *rooms;
static unsigned connection_count, room_count, in_flight, concurrency, dialled, opening;

/* Fills the sender's window. Each message leaves in a send() of its own, as from a browser. */
static void fill_window(struct room *room)
{
    char content[CONTENT + 1], command[1024];
    while (room->sent < room->quota && room->flying_count < in_flight) {
        int head = snprintf(content, sizeof content, CONTENT_NUMBER " ", room->sent);
        memset(content + head, 'x', CONTENT - head);
        content[CONTENT] = '\0';
        int size = target->message(command, sizeof command, room->name, room->sent, content);
        room->flying[room->flying_count++] = room->sent++;
        totals.messages++;
        send_frame(&room->members->client, TEXT, command, size);
    }
}

static void on_gone(struct client *client, const char *why)
{
    struct connection *connection = (struct connection *)client;
    if (!totals.closed++)
        fprintf(stderr, "connection %td of room %s: %s\n", connection - connections,
                connection->room->name, why);
    if (client->stage != READY)
        opening--;
}

static void on_ack(struct connection *connection, unsigned number)
{
    struct room *room = connection->room;
    for (unsigned i = 0; connection == room->members && i < room->flying_count; i++)
        if (room->flying[i] == number) {
            room->flying[i] = room->flying[--room->flying_count];
            totals.acks++;
            return;
        }
    totals.doubled++;
}

static void on_delivery(struct connection *connection, unsigned number)
{
    if (number < connection->next || number >= connection->room->sent) {
        totals.doubled++;
        return;
    }
    totals.lost += number - connection->next;
    totals.deliveries++;
    connection->next = number + 1;
}

static void on_ready(struct connection *connection)
{
    connection->client.stage = READY;
    opening--;
}

static void on_line(struct connection *connection, const char *line, size_t length)
{
    unsigned number;
    switch (target->hear(line, length, &number)) {
    case NOTHING:
        break;
    case WELCOME:
        if (connection->client.stage == GREETING)
            on_ready(connection);
        break;
    case ACK:
        on_ack(connection, number);
        break;
    case DELIVERY:
        on_delivery(connection, number);
        break;
    case REFUSAL:
        if (!totals.refused++)
            fprintf(stderr, "refused: %.*s\n", (int)length, line);
        break;
    }
}

/* A message holds one object or several, separated by newlines. */
static void on_message(struct client *client, const char *at, size_t length)
{
    const char *end = at + length;
    while (at < end) {
        const char *newline = memchr(at, '\n', end - at);
        const char *stop = newline ? newline : end;
        if (stop > at)
            on_line((struct connection *)client, at, stop - at);
        at = stop + 1;
    }
}

static void on_upgraded(struct client *client)
{
    struct connection *connection = (struct connection *)client;
    char greeting[2048];
    if (!target->greeting) {
        on_ready(connection);
        return;
    }
    client->stage = GREETING;
    int size =
        target->greeting(greeting, sizeof greeting, connection->room->name, connection->token);
    send_frame(client, TEXT, greeting, size);
}

static void on_served(struct client *client)
{
    struct connection *connection = (struct connection *)client;
    if (client->stage == READY && connection == connection->room->members)
        fill_window(connection->room);
}

static void dial_next(void)
{
    struct connection *connection = &connections[dialled++];
    char path[2048];
    target->path(path, sizeof path, connection->room->name, connection->token);
    opening++;
    dial(&connection->client, path);
}

static void answer(const char *command, const struct totals *before, double since)
{
    printf("{\"command\":\"%s\",\"messages\":%lu,\"acks\":%lu,\"deliveries\":%lu,\"seconds\":%.6f,"
           "\"lost\":%lu,\"doubled\":%lu,\"refused\":%lu,\"closed\":%lu}\n",
           command, totals.messages - before->messages, totals.acks - before->acks,
           totals.deliveries - before->deliveries, now() - since, totals.lost, totals.doubled,
           totals.refused, totals.closed);
    fflush(stdout);
}

static void open_more(unsigned count)
{
    unsigned left = connection_count - dialled;
    unsigned until = dialled + (count && count < left ? count : left);
    double moved = now();
    while ((dialled < until || opening) && !totals.closed && !totals.refused &&
           now() - moved < PATIENCE) {
        while (dialled < until && opening < concurrency)
            dial_next();
        if (pump(1000))
            moved = now();
    }
    totals.closed += opening + until - dialled;
}

/* Whether every window is empty for good and everything sent has reached every member. */
static bool all_done(void)
{
    unsigned long expected = 0;
    for (unsigned i = 0; i < room_count; i++) {
        if (rooms[i].sent < rooms[i].quota || rooms[i].flying_count)
            return false;
        expected += (unsigned long)rooms[i].sent * rooms[i].size;
    }
    return totals.deliveries + totals.lost >= expected;
}

static void send_for(unsigned count, double seconds)
{
    double start = now(), moved = start;
    struct totals seen = totals;
    for (unsigned i = 0; i < room_count; i++) {
        rooms[i].quota = count ? rooms[i].sent + count : UINT_MAX;
        fill_window(&rooms[i]);
    }
    while (!all_done() && !totals.closed && !totals.refused && now() - moved < PATIENCE) {
        pump(seconds > 0 ? 10 : 1000);
        if (memcmp(&seen, &totals, sizeof totals)) {
            seen = totals;
            moved = now();
        }
        if (seconds > 0 && now() - start >= seconds)
            for (unsigned i = 0; i < room_count; i++)
                rooms[i].quota = rooms[i].sent;
    }
}

static void count_missing(void)
{
    totals.lost += totals.messages - totals.acks;
    for (unsigned i = 0; i < connection_count; i++)
        totals.lost += connections[i].room->sent - connections[i].next;
}

static void read_plan(const char *path)
{
    char *line = NULL, name[256], token[1600];
    size_t space = 0, slots = 0, room_slots = 0;
    FILE *file = fopen(path, "r");
    if (!file)
        die(path);
    while (getline(&line, &space, file) > 0) {
        if (sscanf(line, "%255s %1599s", name, token) != 2)
            continue;
        connections = with_room(connections, connection_count, &slots, sizeof *connections);
        rooms = with_room(rooms, room_count, &room_slots, sizeof *rooms);
        if (!room_count || strcmp(rooms[room_count - 1].name, name))
            rooms[room_count++] = (struct room){.name = must(strdup(name))};
        rooms[room_count - 1].size++;
        connections[connection_count++] = (struct connection){.token = must(strdup(token))};
    }
    free(line);
    fclose(file);
    struct connection *first = connections;
    for (unsigned i = 0; i < room_count; first += rooms[i++].size) {
        rooms[i].members = first;
        for (unsigned j = 0; j < rooms[i].size; j++)
            first[j].room = &rooms[i];
    }
}

/* Returns false when there are no more commands. */
static bool obey(const char *line)
{
    unsigned count;
    double seconds, start = now();
    struct totals before = totals;
    if (sscanf(line, "open %u", &count) == 1) {
        open_more(count);
        answer("open", &before, start);
    } else if (sscanf(line, "send %u %lf", &count, &seconds) == 2) {
        send_for(count, seconds);
        answer("send", &before, start);
    } else if (!strcmp(line, "end\n")) {
        while (pump(QUIET) > 0 && now() - start < PATIENCE)
            continue;
        count_missing();
        answer("end", &(struct totals){0}, start);
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    static const struct handlers handlers = {on_upgraded, on_message, on_gone, on_served};
    if (argc != 7 || !(target = find_target(argv[1]))) {
        fprintf(stderr, "usage: load native|floor|baseline|bare PORT PLAN IN_FLIGHT CONCURRENCY "
                        "minimal|browser\n");
        return 2;
    }
    start_clients(atoi(argv[2]), !strcmp(argv[6], "browser"), &handlers);
    read_plan(argv[3]);
    in_flight = atoi(argv[4]);
    concurrency = atoi(argv[5]);
    if (in_flight < 1 || in_flight > MAX_IN_FLIGHT || concurrency < 1) {
        fprintf(stderr, "IN_FLIGHT is 1 to %d, CONCURRENCY at least 1\n", MAX_IN_FLIGHT);
        return 2;
    }
    obey_lines(obey);
    return 0;
}
