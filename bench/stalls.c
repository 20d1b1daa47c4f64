#include "stalls.h"

#include "client.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum { PRIORITY = 50, OTHER = 0, OWN = 1, CORES = 2 };
static const double PERIOD = 500e-6, LATE = 100e-6, ABSENT = 200e-6, HORIZON = 1e-3;

/* From the last moment a core is known to have run until what gathered should be gone. */
struct stall {
    double from, until;
};

/* What was seen of a core. One thread writes, and others read when it has ended. */
static struct record {
    struct stall *stalls;
    size_t count, slots, next;
} records[CORES];

static pthread_t thread;
static atomic_bool watching;
static double last_here;

static void keep(struct record *record, double from, double until)
{
    struct stall fresh = {from, until};
    record->stalls = with_room(record->stalls, record->count, &record->slots, sizeof fresh);
    record->stalls[record->count++] = fresh;
}

static void sleep_until(double moment)
{
    time_t seconds = (time_t)moment;
    struct timespec at = {seconds, (long)((moment - seconds) * 1e9)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

static void *watch_core(void *unused)
{
    double seen = now(), due = seen;
    while (atomic_load(&watching)) {
        due += PERIOD;
        sleep_until(due);
        double woken = now(), late = woken - due;
        if (late > LATE) {
            keep(&records[OTHER], seen, woken + late);
            due = woken;
        }
        seen = woken;
    }
    return unused;
}

bool begin_watch(int core)
{
    pthread_attr_t attributes;
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(core, &cores);
    for (int i = 0; i < CORES; i++)
        records[i].count = records[i].next = 0;
    pthread_attr_init(&attributes);
    pthread_attr_setaffinity_np(&attributes, sizeof cores, &cores);
    pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
    pthread_attr_setschedpolicy(&attributes, SCHED_FIFO);
    pthread_attr_setschedparam(&attributes, &(struct sched_param){.sched_priority = PRIORITY});
    last_here = now();
    atomic_store(&watching, true);
    atomic_store(&watching, !pthread_create(&thread, &attributes, watch_core, NULL));
    pthread_attr_destroy(&attributes);
    return atomic_load(&watching);
}

void end_watch(void)
{
    if (atomic_exchange(&watching, false))
        pthread_join(thread, NULL);
}

void still_here(double moment)
{
    if (atomic_load_explicit(&watching, memory_order_relaxed) && moment - last_here > ABSENT)
        keep(&records[OWN], last_here, moment + (moment - last_here));
    last_here = moment;
}

bool stalled(double moment)
{
    for (struct record *record = records; record < records + CORES; record++) {
        while (record->next < record->count && record->stalls[record->next].until < moment)
            record->next++;
        if (record->next < record->count && record->stalls[record->next].from < moment + HORIZON)
            return true;
    }
    return false;
}
