/* The load generator for relayed signals: one thread, pairs of WebSockets over loopback, each
 * signal counted and timed.
 *
 * signals VOICE PORT PLAN RATE CONCURRENCY minimal|browser
 *
 * PLAN is a file with a line `room token` per connection, those of one room together: the first
 * two are a pair, the next two another. The one of line n is `user-n` where a protocol lets it say
 * so. Commands and answers are those of load.c, and so are the faults. Besides:
 *
 *   send COUNT SECONDS    RATE signals a second in all, at random moments (a Poisson process), each
 *                         of a random sender to its partner, one in SIZES an offer and the others
 *                         candidates, until COUNT (0: any number) or SECONDS (0: for ever) are over;
 *                         answers when everything has arrived
 *   median, p99           of this command's signals, the seconds from its sending until its partner
 *                         had it
 *   time COUNT SECONDS CORE
 *                         the same, of a server on CORE, while both its core and our own are
 *                         watched: signals of moments when one of them stood still count for
 *                         neither the median nor the p99, unless that was always
 *   stalled               how many those were, or -1 when nobody may watch
 *   doubled               also signals that reached somebody else
 *
 * It never waits for the server, and while it sends it never sleeps. */
#include "client.h"
#include "stalls.h"
#include "voices.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { RING = 4096, OFFER = 3000, SIZES = 16 };

/* Sender and number, where an ICE candidate has its foundation and an SDP its ufrag. */
#define MARK ":bench"
#define MARK_FORMAT MARK "%05ux%08u"

struct connection {
    struct client client; /* the first member: a pointer to it is one to the connection */
    struct seat seat;
    unsigned sent, next; /* `next` is the number of the partner's that is to come next */
    double at[RING];     /* when those in flight were sent */
};

static struct totals {
    unsigned long messages, deliveries, lost, doubled, refused, closed, joined;
} totals;

static const struct voice *voice;
static struct connection *connections;
static unsigned connection_count, concurrency, dialled, opening;
static unsigned long expected_joins; /* when everybody is in */
static double rate;

static struct transit {
    double sent, seconds;
} *transits; /* of the signals of this command */
static size_t transit_count, transit_slots;

static uint32_t drawn(void)
{
    static uint32_t state = 2463534242;
    state ^= state << 13, state ^= state >> 17, state ^= state << 5;
    return state;
}

static struct connection *partner(const struct connection *connection)
{
    return &connections[(connection - connections) ^ 1];
}

static void on_ready(struct client *client)
{
    client->stage = READY;
    opening--;
}

static void on_upgraded(struct client *client)
{
    struct connection *connection = (struct connection *)client;
    char greeting[4096];
    client->stage = GREETING;
    if (voice->greeting)
        send_frame(client, TEXT, greeting,
                   voice->greeting(greeting, sizeof greeting, &connection->seat));
    if (!voice->welcome)
        on_ready(client);
}

static void on_gone(struct client *client, const char *why)
{
    struct connection *connection = (struct connection *)client;
    if (!totals.closed++)
        fprintf(stderr, "connection %td: %s\n", connection - connections, why);
    if (client->stage != READY)
        opening--;
}

static void on_served(struct client *client)
{
    (void)client;
}

static void keep_transit(double sent)
{
    transits = with_room(transits, transit_count, &transit_slots, sizeof *transits);
    transits[transit_count++] = (struct transit){sent, now() - sent};
}

static void on_signal(struct connection *connection, const char *mark)
{
    struct connection *from = partner(connection);
    unsigned sender, number;
    if (sscanf(mark, MARK_FORMAT, &sender, &number) != 2 || &connections[sender] != from ||
        number < connection->next || number >= from->sent) {
        totals.doubled++;
        return;
    }
    totals.lost += number - connection->next;
    totals.deliveries++;
    connection->next = number + 1;
    keep_transit(from->at[number % RING]);
}

static bool has(const char *line, size_t length, const char *part)
{
    return part && memmem(line, length, part, strlen(part));
}

static void on_welcome(struct connection *connection, const char *line, size_t length)
{
    const char *id = memmem(line, length, "\"user_id\":\"", 11);
    if (voice->mints && id)
        sscanf(id + 11, "%63[^\"]", connection->seat.name);
    on_ready(&connection->client);
}

static bool is_other(const char *line, size_t length)
{
    return has(line, length, voice->others[0]) || has(line, length, voice->others[1]);
}

static void on_line(struct connection *connection, const char *line, size_t length)
{
    const char *mark = memmem(line, length, MARK, strlen(MARK));
    if (mark)
        on_signal(connection, mark);
    else if (connection->client.stage == GREETING && has(line, length, voice->welcome))
        on_welcome(connection, line, length);
    else if (has(line, length, voice->joined))
        totals.joined++;
    else if (!is_other(line, length) && !totals.refused++)
        fprintf(stderr, "refused: %.*s\n", (int)length, line);
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

/* An SDP offer as a JSON string. */
static void write_offer(char *to, size_t space, const char *mark)
{
    static const char codec[] = "a=rtpmap:96 VP8/90000\\r\\na=rtcp-fb:96 goog-remb\\r\\n"
                                "a=rtcp-fb:96 transport-cc\\r\\na=fmtp:97 apt=96\\r\\n";
    int length = snprintf(to, space,
                          "\"v=0\\r\\no=- 4611731400430051336 2 IN IP4 127.0.0.1\\r\\ns=-\\r\\n"
                          "t=0 0\\r\\nm=video 9 UDP/TLS/RTP/SAVPF 96 97\\r\\na=ice-ufrag%s\\r\\n",
                          mark);
    while (length < OFFER)
        length += snprintf(to + length, space - length, "%s", codec);
    snprintf(to + length, space - length, "\"");
}

static void write_candidate(char *to, size_t space, const char *mark)
{
    snprintf(to, space,
             "{\"candidate\":\"candidate%s 1 udp 2122260223 192.168.178.21 54321 typ host "
             "generation 0 ufrag 8hhY network-id 1 network-cost 10\",\"sdpMid\":\"0\","
             "\"sdpMLineIndex\":0,\"usernameFragment\":\"8hhY\"}",
             mark);
}

static void send_signal(struct connection *connection)
{
    char mark[64], said[MAX_SENT], frame[MAX_SENT];
    struct connection *to = partner(connection);
    bool offer = totals.messages % SIZES == 0;
    if (connection->client.stage != READY || connection->sent - to->next >= RING)
        return;
    snprintf(mark, sizeof mark, MARK_FORMAT, (unsigned)(connection - connections),
             connection->sent);
    (offer ? write_offer : write_candidate)(said, sizeof said, mark);
    int size =
        voice->signal(frame, sizeof frame, &connection->seat, to->seat.name, said, offer);
    connection->at[connection->sent++ % RING] = now();
    totals.messages++;
    send_frame(&connection->client, TEXT, frame, size);
}

static bool sound(void)
{
    return !totals.closed && !totals.refused;
}

static void send_for(unsigned count, double seconds)
{
    double start = now(), due = start, moment, moved;
    transit_count = 0;
    for (unsigned sent = 0; (!count || sent < count) && sound(); sent++) {
        due -= log((drawn() + 1.0) / 4294967297.0) / rate;
        if (seconds > 0 && due >= start + seconds)
            break;
        do {
            pump(0);
            still_here(moment = now());
        } while (moment < due);
        send_signal(&connections[drawn() % connection_count]);
    }
    moved = now();
    while (totals.deliveries + totals.lost < totals.messages && sound() && now() - moved < PATIENCE)
        if (pump(0))
            moved = now();
}

static void open_more(unsigned count)
{
    unsigned left = connection_count - dialled;
    unsigned until = dialled + (count && count < left ? count : left);
    double moved = now();
    char path[2048];
    while ((dialled < until || opening ||
            (dialled == connection_count && voice->joined && totals.joined < expected_joins)) &&
           sound() && now() - moved < PATIENCE) {
        while (dialled < until && opening < concurrency) {
            struct connection *connection = &connections[dialled++];
            voice->path(path, sizeof path, &connection->seat);
            opening++;
            dial(&connection->client, path);
        }
        if (pump(1000))
            moved = now();
    }
    totals.closed += opening + until - dialled;
}

static int by_sending(const void *a, const void *b)
{
    const struct transit *left = a, *right = b;
    return (left->sent > right->sent) - (left->sent < right->sent);
}

static int by_duration(const void *a, const void *b)
{
    const struct transit *left = a, *right = b;
    return (left->seconds > right->seconds) - (left->seconds < right->seconds);
}

static void sort_transits(int (*order)(const void *, const void *))
{
    if (transit_count)
        qsort(transits, transit_count, sizeof *transits, order);
}

static double quantile(double share)
{
    return transit_count ? transits[(size_t)(share * (transit_count - 1))].seconds : 0;
}

/* Returns how many signals were sent in moments when the machine stood still. They are left out,
 * unless they are all. */
static long leave_out_stalled(void)
{
    size_t kept = 0;
    sort_transits(by_sending);
    for (size_t i = 0; i < transit_count; i++)
        if (!stalled(transits[i].sent))
            transits[kept++] = transits[i];
    long left_out = transit_count - kept;
    if (kept)
        transit_count = kept;
    return left_out;
}

static void answer(const char *command, const struct totals *before, double since, long left_out)
{
    double seconds = now() - since;
    sort_transits(by_duration);
    printf("{\"command\":\"%s\",\"messages\":%lu,\"acks\":0,\"deliveries\":%lu,\"seconds\":%.6f,"
           "\"lost\":%lu,\"doubled\":%lu,\"refused\":%lu,\"closed\":%lu,\"median\":%.7f,"
           "\"p99\":%.7f,\"stalled\":%ld}\n",
           command, totals.messages - before->messages, totals.deliveries - before->deliveries,
           seconds, totals.lost, totals.doubled, totals.refused, totals.closed, quantile(0.5),
           quantile(0.99), left_out);
    fflush(stdout);
}

static void count_missing(void)
{
    for (unsigned i = 0; i < connection_count; i++)
        totals.lost += connections[i].sent - partner(&connections[i])->next;
}

/* Returns false when there are no more commands. */
static bool obey(const char *line)
{
    unsigned count;
    int core;
    double seconds, start = now();
    struct totals before = totals;
    if (sscanf(line, "open %u", &count) == 1) {
        open_more(count);
        answer("open", &before, start, 0);
    } else if (sscanf(line, "send %u %lf", &count, &seconds) == 2) {
        send_for(count, seconds);
        answer("send", &before, start, 0);
    } else if (sscanf(line, "time %u %lf %d", &count, &seconds, &core) == 3) {
        bool watched = begin_watch(core);
        send_for(count, seconds);
        end_watch();
        answer("time", &before, start, watched ? leave_out_stalled() : -1);
    } else if (!strcmp(line, "end\n")) {
        while (pump(QUIET) > 0 && now() - start < PATIENCE)
            continue;
        count_missing();
        answer("end", &(struct totals){0}, start, 0);
        return false;
    }
    return true;
}

static void read_plan(const char *path)
{
    char *line = NULL;
    size_t space = 0, slots = 0;
    unsigned inside = 0;
    FILE *file = fopen(path, "r");
    if (!file)
        die(path);
    while (getline(&line, &space, file) > 0) {
        struct seat seat;
        if (sscanf(line, "%255s %1599s", seat.room, seat.token) != 2)
            continue;
        connections = with_room(connections, connection_count, &slots, sizeof *connections);
        snprintf(seat.name, sizeof seat.name, "user-%u", connection_count + 1);
        struct connection *fresh = &connections[connection_count];
        inside = connection_count && !strcmp(fresh[-1].seat.room, seat.room) ? inside + 1 : 0;
        expected_joins += inside;
        memset(fresh, 0, sizeof *fresh);
        fresh->seat = seat;
        connection_count++;
    }
    free(line);
    fclose(file);
}

int main(int argc, char **argv)
{
    static const struct handlers handlers = {on_upgraded, on_message, on_gone, on_served};
    if (argc != 7 || !(voice = find_voice(argv[1]))) {
        fprintf(stderr, "usage: signals conference|relay|native|peer PORT PLAN RATE CONCURRENCY "
                        "minimal|browser\n");
        return 2;
    }
    start_clients(atoi(argv[2]), !strcmp(argv[6], "browser"), &handlers);
    read_plan(argv[3]);
    rate = atof(argv[4]);
    concurrency = atoi(argv[5]);
    if (rate <= 0 || concurrency < 1 || !connection_count || connection_count % 2) {
        fprintf(stderr, "RATE and CONCURRENCY are at least 1, and connections come in pairs\n");
        return 2;
    }
    obey_lines(obey);
    return 0;
}
