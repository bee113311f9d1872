/*
 * rr_top CHANNEL [MILLISECONDS [TIMES]]: what a channel holds and does, and who is attached to it, shown again every
 * second or as often as asked, until Ctrl-C or as many times as asked. On a terminal each table takes the place of the
 * one before it.
 *
 * It attaches as a client, so it is in its own table; and as everybody who attaches, it sweeps up after those who had
 * died before. Who dies later is shown as dead until somebody else sweeps.
 */
#define _POSIX_C_SOURCE 200809L

#include "shmrr.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* Those of ECMA-48: home, erase to the end of the line, erase to the end of the screen. */
#define HOME "\033[H"
#define END_LINE "\033[K\n"
#define ERASE_BELOW "\033[J"

#define SECONDS_PER_NANOSECOND 1e-9

static const struct row {
    const char *name;
    size_t offset;
} ROWS[] = {
    {"requests", offsetof(rr_stats, requests)},
    {"replies", offsetof(rr_stats, replies)},
    {"posts", offsetof(rr_stats, posts)},
    {"request bytes", offsetof(rr_stats, request_bytes)},
    {"reply bytes", offsetof(rr_stats, reply_bytes)},
    {"cancels", offsetof(rr_stats, cancels)},
    {"timeouts", offsetof(rr_stats, timeouts)},
    {"stale replies", offsetof(rr_stats, stale_replies)},
    {"full", offsetof(rr_stats, full)},
    {"recoveries", offsetof(rr_stats, recoveries)},
    {"sleeps", offsetof(rr_stats, sleeps)},
};

typedef struct snapshot {
    rr_stats stats;
    double at;
} snapshot;

static const char *end_line = "\n";

static snapshot take_snapshot(rr_channel *channel)
{
    snapshot taken = {.stats = RR_STATS_INIT};
    struct timespec time;
    (void)rr_channel_stats(channel, &taken.stats);
    clock_gettime(CLOCK_MONOTONIC, &time);
    taken.at = (double)time.tv_sec + (double)time.tv_nsec * SECONDS_PER_NANOSECOND;
    return taken;
}

static uint64_t counter(const snapshot *from, const struct row *row)
{
    return *(const uint64_t *)(const void *)((const char *)&from->stats + row->offset);
}

/* Counters wrap as unsigned numbers do, and so does their difference. */
static void show_rate(const char *name, uint64_t total, uint64_t before, double seconds)
{
    printf("  %-14s %20" PRIu64 " ", name, total);
    if (seconds > 0)
        printf("%14.1f%s", (double)(total - before) / seconds, end_line);
    else
        printf("%14s%s", "-", end_line);
}

/* Calls that came to nothing, whosever they were. */
static uint64_t errors(const rr_stats *stats)
{
    return stats->timeouts + stats->stale_replies + stats->full;
}

/* What the channel holds now, and what it did since `before`, which may be null. */
static void show_channel(rr_channel *channel, const char *name, const snapshot *now, const snapshot *before)
{
    const rr_stats *stats = &now->stats;
    double seconds = before ? now->at - before->at : 0;
    const snapshot *since = before ? before : now;
    printf("%s: %s, %" PRId64 " and %" PRId64 " bytes at most%s", name,
           rr_channel_kind(channel) == RR_KIND_INT ? "integers" : "bytes", rr_channel_request_max(channel),
           rr_channel_response_max(channel), end_line);
    printf("%s  slots %u   queued %u   in flight %u   free %u%s%s", end_line, stats->slots, stats->queued,
           stats->in_flight, stats->free, end_line, end_line);
    printf("  %-14s %20s %14s%s", "", "in all", "per second", end_line);
    for (size_t k = 0; k < sizeof ROWS / sizeof *ROWS; k++)
        show_rate(ROWS[k].name, counter(now, &ROWS[k]), counter(since, &ROWS[k]), seconds);
    show_rate("errors", errors(stats), errors(&since->stats), seconds);
}

static const char *role(uint32_t role)
{
    return role == RR_ROLE_SERVER ? "server" : role == RR_ROLE_CLIENT ? "client" : "?";
}

/* Who attaches between the two calls is in the next table. */
static void show_participants(rr_channel *channel)
{
    int64_t room = rr_channel_participants(channel, NULL, sizeof(rr_participant), 0);
    rr_participant *all = room > 0 ? calloc((size_t)room, sizeof *all) : NULL;
    int64_t count = all ? rr_channel_participants(channel, all, sizeof(rr_participant), (size_t)room) : 0;
    printf("%s  %6s  %-6s  %10s  %-5s  %6s%s", end_line, "number", "role", "pid", "alive", "held", end_line);
    for (int64_t k = 0; k < count && k < room; k++)
        printf("  %6u  %-6s  %10d  %-5s  %6u%s", all[k].number, role(all[k].role), all[k].pid,
               all[k].alive ? "yes" : "no", all[k].held, end_line);
    free(all);
}

/* Attaches whatever the channel's payloads are; says why not. */
static rr_client *attach(const char *name)
{
    const uint32_t kinds[] = {RR_KIND_BYTES, RR_KIND_INT};
    rr_client *client = NULL;
    rr_error error = {0};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        rr_options options = RR_OPTIONS_INIT;
        options.kind = kinds[k];
        if (rr_client_new(name, &options, &client, &error) != -EPROTO)
            break;
    }
    if (!client)
        fprintf(stderr, "rr_top: %s\n", error.message);
    return client;
}

/* A number of the command line: 1 to what an int holds; or 0. */
static long number(const char *text)
{
    char *end;
    errno = 0;
    long found = strtol(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && found > 0 && found <= INT_MAX ? found : 0;
}

int main(int argc, char **argv)
{
    long milliseconds = argc > 2 ? number(argv[2]) : 1000;
    long times = argc > 3 ? number(argv[3]) : -1;
    if (argc < 2 || argc > 4 || milliseconds == 0 || times == 0) {
        fprintf(stderr, "usage: %s CHANNEL [MILLISECONDS [TIMES]]\n", argv[0]);
        return 2;
    }

    /* Nothing but the wait between two tables takes a signal, so none is lost and no table is cut short. */
    sigset_t ending;
    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    sigprocmask(SIG_BLOCK, &ending, NULL);

    rr_client *client = attach(argv[1]);
    if (!client)
        return 1;
    rr_channel *channel = rr_client_channel(client);
    const struct timespec interval = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    int on_terminal = isatty(STDOUT_FILENO);
    if (on_terminal)
        end_line = END_LINE;

    snapshot before = {0};
    for (long shown = 0;; shown++) {
        snapshot now = take_snapshot(channel);
        fputs(on_terminal ? HOME : "", stdout);
        show_channel(channel, argv[1], &now, shown ? &before : NULL);
        show_participants(channel);
        fputs(on_terminal ? ERASE_BELOW : "\n", stdout);
        int lost = fflush(stdout);
        before = now;
        if (lost || shown + 1 == times)
            break;
        if (sigtimedwait(&ending, NULL, &interval) > 0)
            break;
    }
    rr_client_free(client);
    return ferror(stdout) ? 1 : 0;
}
