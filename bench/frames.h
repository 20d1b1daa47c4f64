/* RFC 6455 section 5.2 framing, as far as two programs that only meet over loopback need it. */
#ifndef HUBBUB_BENCH_FRAMES_H
#define HUBBUB_BENCH_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Both programs use the key that RFC 6455 section 1.3 prints, so neither needs SHA-1. */
#define SAMPLE_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define SAMPLE_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

enum opcode { CONTINUATION = 0x0, TEXT = 0x1, BINARY = 0x2, CLOSE = 0x8, PING = 0x9, PONG = 0xA };

#define MAX_HEADER 14

struct frame {
    bool fin;
    unsigned opcode;
    uint8_t *payload;
    size_t length;
};

static inline void apply_mask(uint8_t *data, size_t length, const uint8_t mask[4])
{
    uint32_t word, key;
    memcpy(&key, mask, 4);
    size_t i = 0;
    for (; i + 4 <= length; i += 4) {
        memcpy(&word, data + i, 4);
        word ^= key;
        memcpy(data + i, &word, 4);
    }
    for (; i < length; i++)
        data[i] ^= mask[i & 3];
}

/* Reads one frame at `at` and unmasks it in place. Returns the bytes it took, or 0 when fewer
 * than a whole frame are there; then nothing has been changed. */
static inline size_t read_frame(uint8_t *at, size_t have, struct frame *out)
{
    if (have < 2)
        return 0;
    bool masked = at[1] & 0x80;
    uint64_t length = at[1] & 0x7f;
    size_t wide = length == 126 ? 2 : length == 127 ? 8 : 0;
    size_t head = 2 + wide + (masked ? 4 : 0);
    if (have < head)
        return 0;
    if (wide) {
        length = 0;
        for (size_t i = 0; i < wide; i++)
            length = length << 8 | at[2 + i];
    }
    if (length > have - head)
        return 0;
    if (masked)
        apply_mask(at + head, length, at + head - 4);
    *out = (struct frame){at[0] & 0x80, at[0] & 0x0f, at + head, length};
    return head + length;
}

/* Writes the header of a final frame without a mask at `at` (room for MAX_HEADER), and returns
 * its length. The caller adds the mask's bit and bytes if it is a client. */
static inline size_t write_header(uint8_t *at, enum opcode opcode, size_t length)
{
    at[0] = 0x80 | opcode;
    if (length < 126) {
        at[1] = length;
        return 2;
    }
    size_t wide = length < 65536 ? 2 : 8;
    at[1] = wide == 2 ? 126 : 127;
    for (size_t i = 0; i < wide; i++)
        at[2 + i] = (uint64_t)length >> 8 * (wide - 1 - i);
    return 2 + wide;
}

#endif
