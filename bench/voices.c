#include "voices.h"

#include <stdio.h>
#include <string.h>

/* `{"type","sdp"}` or a candidate, as the documents' `data` and PeerJS's payload have them. */
#define OFFER_HEAD "{\"type\":\"offer\",\"sdp\":"

static const char *head(bool offer)
{
    return offer ? OFFER_HEAD : "";
}

static const char *tail(bool offer)
{
    return offer ? "}" : "";
}

/* docs/protocol/conference.md, with a `target_id`. */

static int conference_path(char *to, size_t space, const struct seat *seat)
{
    return snprintf(to, space, "/ws/%s?token=%s", seat->room, seat->token);
}

static int conference_signal(char *to, size_t space, const struct seat *from, const char *to_name,
                             const char *said, bool offer)
{
    return snprintf(to, space,
                    "{\"type\":\"%s\",\"room_id\":\"%s\",\"target_id\":\"%s\",\"data\":%s%s%s}",
                    offer ? "offer" : "ice-candidate", from->room, to_name, head(offer), said,
                    tail(offer));
}

/* docs/protocol/relay.md, the video socket; relay.py speaks it as well. */

static int relay_path(char *to, size_t space, const struct seat *seat)
{
    return snprintf(to, space, "/ws/video/%s/%s/?token=%s", seat->room, seat->name, seat->token);
}

static int relay_signal(char *to, size_t space, const struct seat *from, const char *to_name,
                        const char *said, bool offer)
{
    (void)from;
    return snprintf(to, space, "{\"type\":\"%s\",\"to_user_id\":\"%s\",\"data\":%s%s%s}",
                    offer ? "offer" : "ice-candidate", to_name, head(offer), said, tail(offer));
}

/* docs/protocol/native.md: signals without an `id` get no reply. */

static int native_path(char *to, size_t space, const struct seat *seat)
{
    (void)seat;
    return snprintf(to, space, "/ws/v1");
}

static int native_greeting(char *to, size_t space, const struct seat *seat)
{
    return snprintf(to, space,
                    "{\"id\":1,\"type\":\"connect\",\"token\":\"%s\",\"channels\":[{\"channel\":"
                    "\"%s\"}]}\n{\"id\":2,\"type\":\"call_join\",\"channel\":\"%s\"}",
                    seat->token, seat->room, seat->room);
}

static int native_signal(char *to, size_t space, const struct seat *from, const char *to_name,
                         const char *said, bool offer)
{
    const char *type = offer ? "offer" : "candidate", *key = offer ? "sdp" : "candidate";
    return snprintf(to, space, "{\"type\":\"%s\",\"channel\":\"%s\",\"to\":\"%s\",\"%s\":%s}", type,
                    from->room, to_name, key, said);
}

/* docs/protocol/peerjs.md, and the `peer` server from npm under `--path /peerjs`. */

static int peer_path(char *to, size_t space, const struct seat *seat)
{
    return snprintf(to, space, "/peerjs/peerjs?key=peerjs&id=%s&token=%s&version=1.5.5",
                    seat->name, seat->token);
}

static int peer_signal(char *to, size_t space, const struct seat *from, const char *to_name,
                       const char *said, bool offer)
{
    (void)from;
    return snprintf(to, space,
                    "{\"type\":\"%s\",\"payload\":{\"%s\":%s%s%s,\"type\":\"media\","
                    "\"connectionId\":\"mc_5q0x9h4k2d8\"},\"dst\":\"%s\"}",
                    offer ? "OFFER" : "CANDIDATE", offer ? "sdp" : "candidate", head(offer), said,
                    tail(offer), to_name);
}

const struct voice *find_voice(const char *name)
{
    static const char came[] = "{\"type\":\"user-joined\",";
    static const struct voice voices[] = {
        {"conference", conference_path, NULL, conference_signal, "{\"type\":\"connected\",", came,
         true, {0}},
        {"relay", relay_path, NULL, relay_signal, NULL, came, false, {0}},
        {"native", native_path, native_greeting, native_signal, "{\"id\":2,\"result\":",
         "{\"type\":\"peer_joined\",", false, {"{\"id\":1,\"result\":", "{\"type\":\"ping\""}},
        {"peer", peer_path, NULL, peer_signal, "{\"type\":\"OPEN\"}", NULL, false, {0}},
    };
    for (size_t i = 0; i < sizeof voices / sizeof *voices; i++)
        if (!strcmp(voices[i].name, name))
            return &voices[i];
    return NULL;
}
