/* A WebSocket client over loopback: dialling, the upgrade, frames out and messages in. What both
 * load generators are made of. */
#ifndef HUBBUB_BENCH_CLIENT_H
#define HUBBUB_BENCH_CLIENT_H

#include "frames.h"

enum stage { CLOSED, UPGRADING, GREETING, READY };

#define PATIENCE 30.0 /* seconds without any progress before giving up */
#define QUIET 200     /* milliseconds */

struct client {
    int fd;
    enum stage stage;
    uint8_t *held; /* what is left of an incomplete frame */
    size_t held_length;
    uint8_t *fragments; /* of an incomplete message */
    size_t fragments_length;
};

struct handlers {
    /* The server agreed to the upgrade. The stage is the handler's to set. */
    void (*upgraded)(struct client *client);
    /* A message came. It is followed by a byte that may be read. */
    void (*message)(struct client *client, const char *data, size_t length);
    /* The server has ended the connection, or never agreed; the stage is still what it was. */
    void (*gone)(struct client *client, const char *why);
    /* All that had arrived was handed over. */
    void (*served)(struct client *client);
};

_Noreturn void die(const char *what);
void *must(void *memory);

/* The array, which holds `slots` of such a `size`, with room behind the first `count`. */
void *with_room(void *array, size_t count, size_t *slots, size_t size);

double now(void);

/* Comes before anything else here. `browser` sends the headers that a browser does. */
void start_clients(unsigned port, bool browser, const struct handlers *handlers);

/* Connects and asks for the upgrade. */
void dial(struct client *client, const char *path);

/* Sends a masked frame of at most MAX_SENT bytes, in a send() of its own. It blocks: what is in
 * flight is far less than a socket's buffer. */
enum { MAX_SENT = 4096 };
void send_frame(struct client *client, enum opcode opcode, const void *payload, size_t length);

/* Serves the sockets once, waiting up to `timeout` milliseconds. Returns how many had something. */
int pump(int timeout);

/* Obeys the lines of standard input until `obey` returns false, and serves the sockets meanwhile. */
void obey_lines(bool (*obey)(const char *line));

#endif
