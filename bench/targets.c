#include "targets.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text {
    const char *at; /* NULL: not there */
    size_t length;
};

/* The members of an object that any target looks at, as they are written in it. */
struct members {
    struct text type, id, content, client_id, error;
};

static const char *skip_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\')
            at++;
    return at < end ? at + 1 : end;
}

static const char *skip_value(const char *at, const char *end)
{
    int depth = 0;
    while (at < end) {
        if (*at == '"') {
            at = skip_string(at, end);
            if (!depth)
                return at;
            continue;
        }
        if (*at == '{' || *at == '[')
            depth++;
        else if (depth && (*at == '}' || *at == ']')) {
            if (!--depth)
                return at + 1;
        } else if (!depth && (*at == ',' || *at == '}'))
            return at;
        at++;
    }
    return end;
}

static const char *skip_blank(const char *at, const char *end)
{
    while (at < end && strchr(" \t\r\n,:", *at))
        at++;
    return at;
}

static bool equals(struct text text, const char *literal)
{
    return text.at && text.length == strlen(literal) && !memcmp(text.at, literal, text.length);
}

/* Reads the members of the outermost object only: what a nested one is called is its own affair.
 * The server's JSON is taken to be well formed. */
static struct members read_members(const char *at, size_t length)
{
    struct members found = {0};
    const char *end = at + length;
    at = skip_blank(at, end);
    if (at == end || *at++ != '{')
        return found;
    while ((at = skip_blank(at, end)) < end && *at == '"') {
        struct text key = {at, 0}, value;
        at = skip_string(at, end);
        key.length = at - key.at;
        value.at = skip_blank(at, end);
        at = skip_value(value.at, end);
        value.length = at - value.at;
        if (equals(key, "\"type\""))
            found.type = value;
        else if (equals(key, "\"id\""))
            found.id = value;
        else if (equals(key, "\"content\""))
            found.content = value;
        else if (equals(key, "\"client_id\""))
            found.client_id = value;
        else if (equals(key, "\"error\""))
            found.error = value;
    }
    return found;
}

/* The number in `"m00000017…"`. */
static bool numbered(struct text value, unsigned *number)
{
    if (!value.at || value.length < 10 || value.at[1] != 'm')
        return false;
    *number = strtoul(value.at + 2, NULL, 10);
    return true;
}

/* Hubbub's own protocol, docs/protocol/native.md: command 1 is `connect`, command n + 2 sends
 * message n. A plan's room is the channel's integer id, or `-` for none. */

static int native_path(char *to, size_t space, const char *room, const char *token)
{
    (void)room, (void)token;
    return snprintf(to, space, "/ws/v1");
}

static int native_greeting(char *to, size_t space, const char *room, const char *token)
{
    if (!strcmp(room, "-"))
        return snprintf(to, space, "{\"id\":1,\"type\":\"connect\",\"token\":\"%s\"}", token);
    return snprintf(
        to, space, "{\"id\":1,\"type\":\"connect\",\"token\":\"%s\",\"channels\":[{\"channel\":%s}]}",
        token, room);
}

static int native_message(char *to, size_t space, const char *room, unsigned number,
                          const char *content)
{
    return snprintf(to, space,
                    "{\"id\":%u,\"type\":\"send\",\"channel\":%s,\"content\":\"%s\","
                    "\"client_id\":\"" CONTENT_NUMBER "\"}",
                    number + 2, room, content, number);
}

static enum heard native_hear(const char *line, size_t length, unsigned *number)
{
    struct members members = read_members(line, length);
    if (equals(members.type, "\"message\""))
        return numbered(members.content, number) ? DELIVERY : REFUSAL;
    if (equals(members.type, "\"error\"") || equals(members.type, "\"unsubscribed\"") ||
        members.error.at)
        return REFUSAL;
    if (members.type.at || !members.id.at)
        return NOTHING;
    unsigned long id = strtoul(members.id.at, NULL, 10);
    /* A channel that `connect` could not enter is named inside a reply that succeeded. */
    if (id == 1)
        return memmem(line, length, "\"error\":{", 9) ? REFUSAL : WELCOME;
    *number = id - 2;
    return ACK;
}

/* floor.c. */

static int floor_path(char *to, size_t space, const char *room, const char *token)
{
    (void)token;
    return snprintf(to, space, "/room/%s", room);
}

static int floor_message(char *to, size_t space, const char *room, unsigned number,
                         const char *content)
{
    (void)room, (void)number;
    return snprintf(to, space, "%s", content);
}

static enum heard floor_hear(const char *line, size_t length, unsigned *number)
{
    if (length < 9 || (line[0] != '+' && line[0] != 'm'))
        return REFUSAL;
    *number = strtoul(line + 1, NULL, 10);
    return line[0] == '+' ? ACK : DELIVERY;
}

/* baseline.py. */

static int baseline_path(char *to, size_t space, const char *room, const char *token)
{
    return snprintf(to, space, "/ws/%s?token=%s", room, token);
}

static int baseline_message(char *to, size_t space, const char *room, unsigned number,
                            const char *content)
{
    (void)room;
    return snprintf(to, space, "{\"content\":\"%s\",\"client_id\":\"" CONTENT_NUMBER "\"}", content,
                    number);
}

static enum heard baseline_hear(const char *line, size_t length, unsigned *number)
{
    struct members members = read_members(line, length);
    if (equals(members.type, "\"message\""))
        return numbered(members.content, number) ? DELIVERY : REFUSAL;
    if (equals(members.type, "\"ack\""))
        return numbered(members.client_id, number) ? ACK : REFUSAL;
    return REFUSAL;
}

/* bare.py says nothing and is told nothing. */

static int bare_path(char *to, size_t space, const char *room, const char *token)
{
    (void)room, (void)token;
    return snprintf(to, space, "/");
}

static enum heard bare_hear(const char *line, size_t length, unsigned *number)
{
    (void)line, (void)length, (void)number;
    return NOTHING;
}

const struct target *find_target(const char *name)
{
    static const struct target targets[] = {
        {"native", native_path, native_greeting, native_message, native_hear},
        {"floor", floor_path, NULL, floor_message, floor_hear},
        {"baseline", baseline_path, NULL, baseline_message, baseline_hear},
        {"bare", bare_path, NULL, NULL, bare_hear},
    };
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        if (!strcmp(targets[i].name, name))
            return &targets[i];
    return NULL;
}
