/*
 * Watching calls: none may end past its deadline, none may return a code that the header does not document for it, and
 * each result is counted, so that whoever runs the program sees what was exercised.
 *
 * The documented codes come from a file of lines "function name number", which the test reads off include/shmrr.h.
 * Time in which the machine ran others, though this thread was ready to run, is not the library's.
 */
#ifndef SHMRR_HOSTILE_WATCH_H
#define SHMRR_HOSTILE_WATCH_H

#include "../c/check.h"

#include <fcntl.h>
#include <time.h>

#define MS INT64_C(1000000)
#define ROWS_MAX 1024
/* Late calls that are a failure. A machine that stands still for a moment makes one late; a defect makes them so again
   and again. */
#define LATE_CALLS 3

/* One code of one function; number 0 stands for success. */
typedef struct row {
    char function[40];
    char name[24];
    int64_t number;
    uint64_t count;
    int64_t slowest;
} row;

static row watch_rows[ROWS_MAX];
static int watch_used;
static int watch_schedstat = -1;
/* How far past its deadline a call may end. */
static int64_t watch_allowance;

static inline int64_t watch_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 * MS + time.tv_nsec;
}

/* Nanoseconds that this process, which has one thread, was ready and did not run (proc_pid_schedstat, the second). */
static inline int64_t watch_delayed(void)
{
    char text[96] = "";
    if (pread(watch_schedstat, text, sizeof text - 1, 0) <= 0)
        return 0;
    long long running = 0, ready = 0;
    CHECK(sscanf(text, "%lld %lld", &running, &ready) == 2);
    return ready;
}

static inline void watch_add(const char *function, const char *name, int64_t number)
{
    CHECK(watch_used < ROWS_MAX);
    row *added = &watch_rows[watch_used++];
    snprintf(added->function, sizeof added->function, "%s", function);
    snprintf(added->name, sizeof added->name, "%s", name);
    added->number = number;
}

static inline void watch_read(const char *path)
{
    watch_schedstat = open("/proc/self/schedstat", O_RDONLY | O_CLOEXEC);
    FILE *table = fopen(path, "r");
    CHECK(table);
    char function[40], name[24];
    long number;
    while (fscanf(table, "%39s %23s %ld", function, name, &number) == 3)
        watch_add(function, name, number);
    fclose(table);
}

static inline row *watch_find(const char *function, int64_t number)
{
    for (int k = 0; k < watch_used; k++)
        if (watch_rows[k].number == number && strcmp(watch_rows[k].function, function) == 0)
            return &watch_rows[k];
    return NULL;
}

static int64_t watch_begun, watch_delayed_before;
static int watch_late;

static inline void watch_begin(void)
{
    watch_delayed_before = watch_delayed();
    watch_begun = watch_now();
}

static inline int64_t watch_end(const char *function, int64_t timeout_ns, int64_t result)
{
    int64_t took = watch_now() - watch_begun;
    row *known = watch_find(function, result < 0 ? -result : 0);
    if (!known) {
        fprintf(stderr, "%s: undocumented result %" PRId64 "%s\n", function, result, check_code_name(result));
        check_end(1);
    }
    known->count++;
    if (took > known->slowest)
        known->slowest = took;
    if (took > timeout_ns + watch_allowance) {
        int64_t ran = took - (watch_delayed() - watch_delayed_before);
        if (ran > timeout_ns + watch_allowance) {
            printf("late: %s took %" PRId64 " ms (%" PRId64 " ms of it ready but not run), deadline %" PRId64 " ms\n",
                   function, took / MS, (took - ran) / MS, timeout_ns / MS);
            if (++watch_late == LATE_CALLS)
                check_end(1);
        }
    }
    return result;
}

/* The result of a call that may take so many nanoseconds. */
#define WATCH(function, timeout_ns, ...) \
    (watch_begin(), watch_end(#function, timeout_ns, (int64_t)function(__VA_ARGS__)))

/* A call without arguments. */
#define WATCH_BARE(function, timeout_ns) (watch_begin(), watch_end(#function, timeout_ns, (int64_t)function()))

/* A call without a result. */
#define WATCH_VOID(function, timeout_ns, ...) \
    (watch_begin(), function(__VA_ARGS__), (void)watch_end(#function, timeout_ns, 0))

static inline void watch_report(void)
{
    for (int k = 0; k < watch_used; k++)
        if (watch_rows[k].count > 0)
            printf("%s %s %" PRIu64 " slowest %" PRId64 " us\n", watch_rows[k].function, watch_rows[k].name,
                   watch_rows[k].count, watch_rows[k].slowest / 1000);
}

#endif
