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
 *   closed    connections that the server ended
 *
 * Sends block: what is in flight is far less than a socket's buffer. */
#include "frames.h"
#include "targets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 1024, INBOX = 1 << 22, MAX_IN_FLIGHT = 64, CONTENT = 128 };
static const double PATIENCE = 30.0; /* seconds without any progress before giving up */
static const int QUIET = 200;        /* milliseconds */

enum stage { CLOSED, UPGRADING, GREETING, READY };

struct connection {
    int fd;
    enum stage stage;
    struct room *room;
    const char *token;
    unsigned next;     /* the number of the message to be delivered next */
    uint8_t *held;     /* what is left of an incomplete frame */
    size_t held_length;
    uint8_t *fragments; /* of an incomplete message */
    size_t fragments_length;
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
static unsigned connection_count, room_count, in_flight, concurrency, dialled, opening, port;
static bool browser;
static int epoll;
static uint8_t inbox[INBOX + 1];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void *must(void *memory)
{
    if (!memory)
        die("malloc");
    return memory;
}

static double now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec + at.tv_nsec / 1e9;
}

static void send_all(struct connection *connection, const void *data, size_t length)
{
    /* An error here is seen by the next recv() as well, which closes the connection. */
    for (ssize_t sent; length; data = (const char *)data + sent, length -= sent)
        if ((sent = send(connection->fd, data, length, MSG_NOSIGNAL)) <= 0)
            return;
}

/* Sends a masked frame; none of ours comes near 4096 bytes. */
static void send_frame(struct connection *connection, enum opcode opcode, const void *payload,
                       size_t length)
{
    static uint32_t mask = 2463534242;
    uint8_t frame[MAX_HEADER + 4 + 4096];
    if (length > 4096)
        abort();
    mask ^= mask << 13, mask ^= mask >> 17, mask ^= mask << 5;
    size_t head = write_header(frame, opcode, length);
    frame[1] |= 0x80;
    memcpy(frame + head, &mask, 4);
    memcpy(frame + head + 4, payload, length);
    apply_mask(frame + head + 4, length, frame + head);
    send_all(connection, frame, head + 4 + length);
}

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
        send_frame(room->members, TEXT, command, size);
    }
}

static void drop(struct connection *connection, const char *why)
{
    if (!totals.closed++)
        fprintf(stderr, "connection %td of room %s: %s\n", connection - connections,
                connection->room->name, why);
    if (connection->stage != READY)
        opening--;
    close(connection->fd);
    connection->stage = CLOSED;
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
    connection->stage = READY;
    opening--;
}

static void on_line(struct connection *connection, const char *line, size_t length)
{
    unsigned number;
    switch (target->hear(line, length, &number)) {
    case NOTHING:
        break;
    case WELCOME:
        if (connection->stage == GREETING)
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
static void on_message(struct connection *connection, const uint8_t *data, size_t length)
{
    const char *at = (const char *)data, *end = at + length;
    while (at < end) {
        const char *newline = memchr(at, '\n', end - at);
        const char *stop = newline ? newline : end;
        if (stop > at)
            on_line(connection, at, stop - at);
        at = stop + 1;
    }
}

static void on_fragment(struct connection *connection, const struct frame *frame)
{
    size_t length = connection->fragments_length + frame->length;
    connection->fragments = must(realloc(connection->fragments, length + 1));
    memcpy(connection->fragments + connection->fragments_length, frame->payload, frame->length);
    connection->fragments[length] = '\0';
    connection->fragments_length = frame->fin ? 0 : length;
    if (frame->fin)
        on_message(connection, connection->fragments, length);
}

static void on_frame(struct connection *connection, const struct frame *frame)
{
    char why[64];
    switch (frame->opcode) {
    case CONTINUATION:
        on_fragment(connection, frame);
        break;
    case TEXT:
        if (frame->fin)
            on_message(connection, frame->payload, frame->length);
        else
            on_fragment(connection, frame);
        break;
    case PING:
        send_frame(connection, PONG, frame->payload, frame->length);
        break;
    case PONG:
        break;
    case CLOSE:
        snprintf(why, sizeof why, "closed by the server, code %d",
                 frame->length < 2 ? 1005 : frame->payload[0] << 8 | frame->payload[1]);
        drop(connection, why);
        break;
    default:
        drop(connection, "neither text nor a control frame");
    }
}

/* Returns the length of the response to the upgrade, or 0 while it is incomplete. */
static size_t on_response(struct connection *connection, char *data, size_t length)
{
    char greeting[2048];
    char *end = memmem(data, length, "\r\n\r\n", 4);
    if (!end)
        return 0;
    if (strncmp(data, "HTTP/1.1 101 ", 13) || !memmem(data, end - data, SAMPLE_ACCEPT, 28)) {
        *strchr(data, '\r') = '\0';
        drop(connection, data);
        return 0;
    }
    if (target->greeting) {
        connection->stage = GREETING;
        int size = target->greeting(greeting, sizeof greeting, connection->room->name,
                                    connection->token);
        send_frame(connection, TEXT, greeting, size);
    } else {
        on_ready(connection);
    }
    return end + 4 - data;
}

static void on_readable(struct connection *connection)
{
    size_t held = connection->held_length, done = 0, used;
    struct frame frame;
    if (held)
        memcpy(inbox, connection->held, held);
    ssize_t got = recv(connection->fd, inbox + held, INBOX - held, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        drop(connection, held == INBOX ? "a frame too large" : "ended by the server");
        return;
    }
    size_t length = held + got;
    inbox[length] = '\0';
    if (connection->stage == UPGRADING)
        done = on_response(connection, (char *)inbox, length);
    while (connection->stage > UPGRADING &&
           (used = read_frame(inbox + done, length - done, &frame))) {
        done += used;
        on_frame(connection, &frame);
    }
    connection->held_length = length - done;
    if (connection->held_length) {
        connection->held = must(realloc(connection->held, connection->held_length));
        memcpy(connection->held, inbox + done, connection->held_length);
    }
    if (connection->stage == READY && connection == connection->room->members)
        fill_window(connection->room);
}

/* Serves the sockets once, waiting up to `timeout` milliseconds. Returns how many had something. */
static int pump(int timeout)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(epoll, events, EVENTS, timeout);
    for (int i = 0; i < count; i++)
        on_readable(events[i].data.ptr);
    return count;
}

static void dial(struct connection *connection)
{
    static const char extra[] =
        "Pragma: no-cache\r\nCache-Control: no-cache\r\n"
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/142.0.0.0 Safari/537.36\r\n"
        "Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9,de;q=0.8\r\n";
    char path[2048], origin[64] = "", request[4096];
    int one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 ||
        connect(connection->fd, (struct sockaddr *)&address, sizeof address))
        die("connect");
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, connection->fd, &event))
        die("epoll_ctl");
    target->path(path, sizeof path, connection->room->name, connection->token);
    if (browser)
        snprintf(origin, sizeof origin, "Origin: http://127.0.0.1:%u\r\n", port);
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                          "Sec-WebSocket-Key: " SAMPLE_KEY "\r\n%s%s\r\n",
                          path, port, origin, browser ? extra : "");
    connection->stage = UPGRADING;
    opening++;
    send_all(connection, request, length);
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
            dial(&connections[dialled++]);
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
    size_t space = 0, slots = 0;
    FILE *file = fopen(path, "r");
    if (!file)
        die(path);
    while (getline(&line, &space, file) > 0) {
        if (sscanf(line, "%255s %1599s", name, token) != 2)
            continue;
        if (connection_count == slots) {
            slots = slots * 2 + 64;
            connections = must(realloc(connections, slots * sizeof *connections));
            rooms = must(realloc(rooms, slots * sizeof *rooms));
        }
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
static bool obey(void)
{
    char line[128];
    unsigned count;
    double seconds, start = now();
    struct totals before = totals;
    if (!fgets(line, sizeof line, stdin))
        return false;
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
    if (argc != 7 || !(target = find_target(argv[1]))) {
        fprintf(stderr, "usage: load native|floor|baseline|bare PORT PLAN IN_FLIGHT CONCURRENCY "
                        "minimal|browser\n");
        return 2;
    }
    port = atoi(argv[2]);
    read_plan(argv[3]);
    in_flight = atoi(argv[4]);
    concurrency = atoi(argv[5]);
    if (in_flight < 1 || in_flight > MAX_IN_FLIGHT || concurrency < 1) {
        fprintf(stderr, "IN_FLIGHT is 1 to %d, CONCURRENCY at least 1\n", MAX_IN_FLIGHT);
        return 2;
    }
    browser = !strcmp(argv[6], "browser");
    epoll = epoll_create1(EPOLL_CLOEXEC);
    /* Unbuffered, because poll() knows nothing of what stdio has already read. */
    setvbuf(stdin, NULL, _IONBF, 0);
    struct pollfd wanted[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                              {.fd = epoll, .events = POLLIN}};
    for (bool more = true; more;) {
        poll(wanted, 2, -1);
        if (wanted[1].revents)
            pump(0);
        if (wanted[0].revents)
            more = obey();
    }
    return 0;
}
