#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 1024, INBOX = 1 << 22 };

static const struct handlers *handlers;
static unsigned port;
static bool browser;
static int epoll;
static uint8_t inbox[INBOX + 1];

void die(const char *what)
{
    perror(what);
    exit(1);
}

void *must(void *memory)
{
    if (!memory)
        die("malloc");
    return memory;
}

void *with_room(void *array, size_t count, size_t *slots, size_t size)
{
    if (count < *slots)
        return array;
    *slots = *slots * 2 + 64;
    return must(realloc(array, *slots * size));
}

double now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec + at.tv_nsec / 1e9;
}

void start_clients(unsigned to_port, bool as_browser, const struct handlers *call)
{
    port = to_port;
    browser = as_browser;
    handlers = call;
    epoll = epoll_create1(EPOLL_CLOEXEC);
}

static void send_all(struct client *client, const void *data, size_t length)
{
    /* An error here is seen by the next recv() as well, which closes the connection. */
    for (ssize_t sent; length; data = (const char *)data + sent, length -= sent)
        if ((sent = send(client->fd, data, length, MSG_NOSIGNAL)) <= 0)
            return;
}

void send_frame(struct client *client, enum opcode opcode, const void *payload, size_t length)
{
    static uint32_t mask = 2463534242;
    uint8_t frame[MAX_HEADER + 4 + MAX_SENT];
    if (length > MAX_SENT)
        abort();
    mask ^= mask << 13, mask ^= mask >> 17, mask ^= mask << 5;
    size_t head = write_header(frame, opcode, length);
    frame[1] |= 0x80;
    memcpy(frame + head, &mask, 4);
    memcpy(frame + head + 4, payload, length);
    apply_mask(frame + head + 4, length, frame + head);
    send_all(client, frame, head + 4 + length);
}

static void drop(struct client *client, const char *why)
{
    handlers->gone(client, why);
    close(client->fd);
    client->stage = CLOSED;
}

static void on_fragment(struct client *client, const struct frame *frame)
{
    size_t length = client->fragments_length + frame->length;
    client->fragments = must(realloc(client->fragments, length + 1));
    memcpy(client->fragments + client->fragments_length, frame->payload, frame->length);
    client->fragments[length] = '\0';
    client->fragments_length = frame->fin ? 0 : length;
    if (frame->fin)
        handlers->message(client, (const char *)client->fragments, length);
}

static void on_frame(struct client *client, const struct frame *frame)
{
    char why[64];
    switch (frame->opcode) {
    case CONTINUATION:
        on_fragment(client, frame);
        break;
    case TEXT:
        if (frame->fin)
            handlers->message(client, (const char *)frame->payload, frame->length);
        else
            on_fragment(client, frame);
        break;
    case PING:
        send_frame(client, PONG, frame->payload, frame->length);
        break;
    case PONG:
        break;
    case CLOSE:
        snprintf(why, sizeof why, "closed by the server, code %d",
                 frame->length < 2 ? 1005 : frame->payload[0] << 8 | frame->payload[1]);
        drop(client, why);
        break;
    default:
        drop(client, "neither text nor a control frame");
    }
}

/* Returns the length of the response to the upgrade, or 0 while it is incomplete. */
static size_t on_response(struct client *client, char *data, size_t length)
{
    char *end = memmem(data, length, "\r\n\r\n", 4);
    if (!end)
        return 0;
    if (strncmp(data, "HTTP/1.1 101 ", 13) || !memmem(data, end - data, SAMPLE_ACCEPT, 28)) {
        *strchr(data, '\r') = '\0';
        drop(client, data);
        return 0;
    }
    handlers->upgraded(client);
    return end + 4 - data;
}

static void on_readable(struct client *client)
{
    size_t held = client->held_length, done = 0, used;
    struct frame frame;
    if (held)
        memcpy(inbox, client->held, held);
    ssize_t got = recv(client->fd, inbox + held, INBOX - held, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        drop(client, held == INBOX ? "a frame too large" : "ended by the server");
        return;
    }
    size_t length = held + got;
    inbox[length] = '\0';
    if (client->stage == UPGRADING)
        done = on_response(client, (char *)inbox, length);
    while (client->stage > UPGRADING && (used = read_frame(inbox + done, length - done, &frame))) {
        done += used;
        on_frame(client, &frame);
    }
    client->held_length = length - done;
    if (client->held_length) {
        client->held = must(realloc(client->held, client->held_length));
        memcpy(client->held, inbox + done, client->held_length);
    }
    handlers->served(client);
}

int pump(int timeout)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(epoll, events, EVENTS, timeout);
    for (int i = 0; i < count; i++)
        on_readable(events[i].data.ptr);
    return count;
}

void dial(struct client *client, const char *path)
{
    static const char extra[] =
        "Pragma: no-cache\r\nCache-Control: no-cache\r\n"
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/142.0.0.0 Safari/537.36\r\n"
        "Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9,de;q=0.8\r\n";
    char origin[64] = "", request[4096];
    int one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&address, sizeof address))
        die("connect");
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, client->fd, &event))
        die("epoll_ctl");
    if (browser)
        snprintf(origin, sizeof origin, "Origin: http://127.0.0.1:%u\r\n", port);
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                          "Sec-WebSocket-Key: " SAMPLE_KEY "\r\n%s%s\r\n",
                          path, port, origin, browser ? extra : "");
    client->stage = UPGRADING;
    send_all(client, request, length);
}

void obey_lines(bool (*obey)(const char *line))
{
    char line[128];
    /* Unbuffered, because poll() knows nothing of what stdio has already read. */
    setvbuf(stdin, NULL, _IONBF, 0);
    struct pollfd wanted[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                              {.fd = epoll, .events = POLLIN}};
    for (bool more = true; more;) {
        poll(wanted, 2, -1);
        if (wanted[1].revents)
            pump(0);
        if (wanted[0].revents)
            more = fgets(line, sizeof line, stdin) && obey(line);
    }
}
