/* What each server under measurement is told and says: the only part of the load generator that
 * knows one server from another. */
#ifndef HUBBUB_BENCH_TARGETS_H
#define HUBBUB_BENCH_TARGETS_H

#include <stddef.h>

/* Every message's content begins with `m` and its number in eight digits; the numbers of a room
 * count from 0, so that each receiver can tell what is missing and what came twice. */
#define CONTENT_NUMBER "m%08u"

enum heard {
    NOTHING,  /* not about a message */
    WELCOME,  /* the greeting's answer: the connection is authenticated and in its room */
    ACK,      /* the sender's acknowledgement of a message */
    DELIVERY, /* a message */
    REFUSAL,  /* an error, to anything */
};

struct target {
    const char *name;
    /* Each writes a string of at most `space` bytes and returns its length, as snprintf does. */
    int (*path)(char *to, size_t space, const char *room, const char *token);
    int (*greeting)(char *to, size_t space, const char *room, const char *token); /* or NULL */
    int (*message)(char *to, size_t space, const char *room, unsigned number, const char *content);
    /* What one object from the server is; `number` is set for ACK and DELIVERY. */
    enum heard (*hear)(const char *line, size_t length, unsigned *number);
};

/* The target of that name, or NULL. */
const struct target *find_target(const char *name);

#endif
