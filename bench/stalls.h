/* When the machine itself stood still. */
#ifndef HUBBUB_BENCH_STALLS_H
#define HUBBUB_BENCH_STALLS_H

#include <stdbool.h>

/* Watches a core from a thread of real-time priority that wakes every half millisecond, until
 * end_watch(). It comes before all that is not as urgent, a server and what else there is, so when
 * it wakes late the core itself was taken away, as a hypervisor does for its other guests, or the
 * kernel was long at something. Returns false when it may not have that priority (CAP_SYS_NICE), or
 * there is no such core. */
bool begin_watch(int core);
void end_watch(void);

/* To be called again and again by who never sleeps, and never has much to do at once: when it was
 * long ago that it was, its own core was taken away. Nothing happens while nobody watches. */
void still_here(double moment);

/* Whether a core stood still within the millisecond after `moment`, or shortly before: for what
 * gathered meanwhile as much time is allowed as the stall took. How long anything takes from
 * `moment` on has no part in it, so what is slow by itself is not excused. To be asked after
 * end_watch(), of ascending moments. */
bool stalled(double moment);

#endif
