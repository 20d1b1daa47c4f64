/* The floor: the least a WebSocket broadcast server can do, in C.
 *
 * floor PORT turn|message
 *
 * `GET /room/N` joins room N. What a member sends goes to every member of its room, the sender
 * included, byte for byte, and the sender gets an acknowledgement: `+` and the eight digits of the
 * message's number (the content is `m`, those digits and a filling), in the same send as its own
 * copy. Nothing is authenticated, parsed or stored.
 *
 * `turn`: what one turn of the loop read for a room leaves joined, one send() per member.
 * `message`: one send() per member and message.
 *
 * Sends block when a socket is full: the floor never drops, and its peer always reads. */
#include "frames.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOMS = 4096, EVENTS = 1024, INBOX = 1 << 16, NUMBER = 8 };

struct buffer {
    uint8_t *data;
    size_t length, room;
};

struct connection {
    int fd;
    struct room *room; /* NULL until the upgrade */
    uint8_t *held;     /* what is left of an incomplete frame or request */
    size_t held_length;
    struct buffer acks;
};

struct room {
    struct connection **members;
    size_t count, space;
    struct buffer pending;
    bool dirty;
};

static struct room rooms[ROOMS];
static struct room *dirty[ROOMS];
static size_t dirty_count;
static bool per_message;
static int epoll;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static uint8_t *extend(struct buffer *buffer, size_t length)
{
    if (buffer->length + length > buffer->room) {
        buffer->room = (buffer->length + length) * 2;
        buffer->data = realloc(buffer->data, buffer->room);
        if (!buffer->data)
            die("realloc");
    }
    buffer->length += length;
    return buffer->data + buffer->length - length;
}

static void append_frame(struct buffer *buffer, const uint8_t *payload, size_t length)
{
    uint8_t header[MAX_HEADER];
    size_t head = write_header(header, TEXT, length);
    uint8_t *at = extend(buffer, head + length);
    memcpy(at, header, head);
    memcpy(at + head, payload, length);
}

static void deliver(struct room *room)
{
    for (size_t i = 0; i < room->count; i++) {
        struct connection *member = room->members[i];
        struct buffer *out = &room->pending;
        if (member->acks.length) {
            memcpy(extend(&member->acks, out->length), out->data, out->length);
            out = &member->acks;
        }
        /* A member that went away is noticed by its next recv(). */
        (void)!send(member->fd, out->data, out->length, MSG_NOSIGNAL);
        member->acks.length = 0;
    }
    room->pending.length = 0;
    room->dirty = false;
}

static void take_message(struct connection *from, const struct frame *frame)
{
    if (frame->length < 1 + NUMBER)
        return;
    uint8_t ack[1 + NUMBER] = "+";
    memcpy(ack + 1, frame->payload + 1, NUMBER);
    append_frame(&from->acks, ack, sizeof ack);
    append_frame(&from->room->pending, frame->payload, frame->length);
    if (per_message) {
        deliver(from->room);
    } else if (!from->room->dirty) {
        from->room->dirty = true;
        dirty[dirty_count++] = from->room;
    }
}

static void leave(struct connection *connection)
{
    struct room *room = connection->room;
    for (size_t i = 0; room && i < room->count; i++)
        if (room->members[i] == connection)
            room->members[i--] = room->members[--room->count];
    close(connection->fd);
    free(connection->held);
    free(connection->acks.data);
    free(connection);
}

/* Returns the request's length, 0 while it is incomplete, or -1 for one this server refuses. */
static long upgrade(struct connection *connection, const char *request, size_t length)
{
    static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                 "Connection: Upgrade\r\nSec-WebSocket-Accept: " SAMPLE_ACCEPT
                                 "\r\n\r\n";
    unsigned number;
    const char *end = memmem(request, length, "\r\n\r\n", 4);
    if (!end)
        return length < INBOX ? 0 : -1;
    if (sscanf(request, "GET /room/%u ", &number) != 1 || number >= ROOMS ||
        !memmem(request, length, SAMPLE_KEY, strlen(SAMPLE_KEY)))
        return -1;
    struct room *room = &rooms[number];
    if (room->count == room->space) {
        room->space = room->space * 2 + 8;
        room->members = realloc(room->members, room->space * sizeof *room->members);
        if (!room->members)
            die("realloc");
    }
    room->members[room->count++] = connection;
    connection->room = room;
    (void)!send(connection->fd, answer, sizeof answer - 1, MSG_NOSIGNAL);
    return end + 4 - request;
}

/* Returns how many bytes were understood, or -1 when the connection is over. */
static long take(struct connection *connection, uint8_t *data, size_t length)
{
    size_t done = 0, used;
    struct frame frame;
    if (!connection->room) {
        long request = upgrade(connection, (char *)data, length);
        if (request <= 0)
            return request;
        done = request;
    }
    while ((used = read_frame(data + done, length - done, &frame))) {
        done += used;
        if (frame.opcode == CLOSE)
            return -1;
        if (frame.opcode == TEXT)
            take_message(connection, &frame);
    }
    return done;
}

static void on_readable(struct connection *connection)
{
    static uint8_t inbox[2 * INBOX + 1];
    size_t held = connection->held_length;
    if (held)
        memcpy(inbox, connection->held, held);
    ssize_t got = recv(connection->fd, inbox + held, 2 * INBOX - held, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    inbox[held + (got > 0 ? got : 0)] = '\0';
    long done = got <= 0 ? -1 : take(connection, inbox, held + got);
    if (done < 0) {
        leave(connection);
        return;
    }
    connection->held_length = held + got - done;
    if (connection->held_length) {
        connection->held = realloc(connection->held, connection->held_length);
        if (!connection->held)
            die("realloc");
        memcpy(connection->held, inbox + done, connection->held_length);
    }
}

static void on_connect(int listener)
{
    int one = 1;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection)
        die("calloc");
    connection->fd = fd;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
        die("epoll_ctl");
}

static int listen_on(unsigned port)
{
    int one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 2048))
        die("listen");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event))
        die("epoll_ctl");
    return listener;
}

int main(int argc, char **argv)
{
    if (argc != 3 || (strcmp(argv[2], "turn") && strcmp(argv[2], "message"))) {
        fprintf(stderr, "usage: floor PORT turn|message\n");
        return 2;
    }
    per_message = !strcmp(argv[2], "message");
    epoll = epoll_create1(EPOLL_CLOEXEC);
    int listener = listen_on(atoi(argv[1]));
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr)
                on_readable(events[i].data.ptr);
            else
                on_connect(listener);
        }
        while (dirty_count)
            deliver(dirty[--dirty_count]);
    }
}
