/* How signals are spelled to each server: the only part of signals.c that knows one from another. */
#ifndef HUBBUB_BENCH_VOICES_H
#define HUBBUB_BENCH_VOICES_H

#include <stdbool.h>
#include <stddef.h>

/* Who is on a connection. */
struct seat {
    char room[256];
    char token[1600];
    char name[64]; /* what others address it by */
};

struct voice {
    const char *name;
    /* Each writes a string of at most `space` bytes and returns its length, as snprintf does. */
    int (*path)(char *to, size_t space, const struct seat *seat);
    int (*greeting)(char *to, size_t space, const struct seat *seat); /* or NULL */
    /* `said` is JSON: an RTCIceCandidateInit, or the string of an SDP offer. */
    int (*signal)(char *to, size_t space, const struct seat *from, const char *to_name,
                  const char *said, bool offer);
    const char *welcome; /* part of what greets a connection; NULL: the upgrade is enough */
    const char *joined;  /* part of what tells the others of a room; NULL: they are not told */
    bool mints;          /* the welcome holds the connection's name, as `user_id` */
    const char *others[2]; /* parts of what else may be said */
};

/* The voice of that name, or NULL. */
const struct voice *find_voice(const char *name);

#endif
