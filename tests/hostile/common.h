/*
 * What all victims have in common: random choices, the buffers and ids that calls get, how messages in the channel's
 * memory are read and written, and the calls about the channel itself.
 */
#ifndef SHMRR_HOSTILE_COMMON_H
#define SHMRR_HOSTILE_COMMON_H

#include "guard.h"
#include "watch.h"

#include <sys/eventfd.h>

#define TIMEOUT (20 * MS)
/* For calls without a deadline. */
#define AT_ONCE INT64_C(0)
#define IDS 16
/* Steps after which a handle is exchanged, about: what it once read of the cursors, it never forgets. */
#define LIFE 40
#define TEXT_MAX 300
#define PARTICIPANTS_MAX 4095

static const char *channel, *directory;
static int64_t lifetime, over_at;
static uint64_t seed, state;

static inline uint64_t below(uint64_t bound)
{
    /* splitmix64, as tests/support/payload.rs. */
    state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t mixed = state;
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94D049BB133111EB);
    return (mixed ^ mixed >> 31) % bound;
}

static inline int goes_on(void)
{
    return watch_now() < over_at;
}

static inline const char *in_directory(const char *name, uint64_t number)
{
    static char path[512];
    CHECK(snprintf(path, sizeof path, "%s/%s%.0" PRIu64, directory, name, number) < (int)sizeof path);
    return path;
}

static inline void begin(void)
{
    int ready = open(in_directory("ready-", seed), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    CHECK(ready >= 0);
    close(ready);
    while (access(in_directory("go", 0), F_OK) != 0)
        usleep(1000);
    over_at = watch_now() + lifetime;
}

/* What the channel's creator chose, as the library's private copy says. */
static size_t request_max, response_max;
static int64_t total_slots;
/* Where the channel is mapped. */
static extent mapped;
/* What calls read from and write to. */
static guarded outgoing, incoming;
static uint64_t ids[IDS];
static int newest;

/* Where the next id is to be stored. */
static inline uint64_t *next_id(void)
{
    newest = (newest + 1) % IDS;
    return &ids[newest];
}

static inline int64_t some_timeout(void)
{
    static const int64_t some[] = {0, MS, MS, TIMEOUT};
    return some[below(LENGTH(some))];
}

/* A capacity or length up to a limit: often as large as can be, sometimes none. */
static inline size_t some_length(size_t most)
{
    switch (below(6)) {
    case 0:
        return 0;
    case 1:
    case 2:
        return most;
    default:
        return below(most + 1);
    }
}

/* Mostly an id that was handed out, often the newest, now and then one that may never have been. */
static inline uint64_t some_id(void)
{
    uint64_t id = ids[below(2) ? newest : (int)below(IDS)];
    switch (below(12)) {
    case 0:
        return id ^ UINT64_C(1) << below(64);
    case 1:
        return below(UINT64_MAX);
    default:
        return id;
    }
}

static inline uint32_t some_type(void)
{
    return below(8) == 0 ? (uint32_t)below(128) : 128 + (uint32_t)below(1000);
}

static inline uint32_t some_flags(void)
{
    return (uint32_t)below(below(8) == 0 ? 16 : 4);
}

static inline rr_msg some_msg(const void *data, size_t length)
{
    return msg_of(data, length, some_type(), some_flags());
}

static inline void received(int64_t result, size_t capacity)
{
    CHECK(result < 0 || (uint64_t)result <= capacity);
    check_and_restore(&incoming, capacity);
}

/* ---- messages in place ---- */

static inline void check_place(const void *data, size_t length)
{
    uintptr_t from = (uintptr_t)data;
    CHECK(from >= mapped.from && from <= mapped.to && length <= mapped.to - from);
}

/* Reads every byte, while others may write them. */
static inline void read_all(const void *data, size_t length, uint32_t flags)
{
    check_place(data, length);
    CHECK((flags & RR_MSG_END_ALIGNED) || (uintptr_t)data % 8 == 0);
    CHECK((flags & ~(uint32_t)(RR_MSG_UTF8 | RR_MSG_END_ALIGNED | RR_MSG_ONE_WAY)) == 0);
    const volatile unsigned char *bytes = (const volatile unsigned char *)data;
    for (size_t at = 0; at < length; at++)
        (void)bytes[at];
}

/* Writes every byte of what was lent. */
static inline void write_all(void *data, size_t capacity, size_t expected)
{
    CHECK(capacity == expected && (uintptr_t)data % 128 == 0);
    check_place(data, capacity);
    memset(data, (int)below(256), capacity);
}

static inline void read_request(const rr_view *view)
{
    CHECK(view->length <= request_max && (int64_t)view->id > 0);
    CHECK(view->redeliveries <= 15);
    read_all(view->data, view->length, view->flags);
}

/* ---- the channel itself ---- */

static inline void learn(rr_channel *which)
{
    request_max = (size_t)rr_channel_request_max(which);
    response_max = (size_t)rr_channel_response_max(which);
    int64_t slots = rr_channel_slots(which);
    int64_t spares = slots / 4 < 4 ? 4 : slots / 4 > 64 ? 64 : slots / 4;
    total_slots = slots + spares;
    mapped = mapping_of(rr_channel_fd(which));
}

static inline void ask_who_is_there(rr_channel *which)
{
    rr_participant all[8];
    memset(all, 0, sizeof all);
    CHECK(WATCH(rr_channel_servers, AT_ONCE, which) <= PARTICIPANTS_MAX);
    size_t room = below(LENGTH(all) + 1);
    int64_t count = WATCH(rr_channel_participants, AT_ONCE, which, room ? all : NULL, sizeof(rr_participant), room);
    CHECK(count >= 0 && count <= PARTICIPANTS_MAX);
    for (size_t at = 0; at < room && (int64_t)at < count; at++) {
        CHECK(all[at].number > (at ? all[at - 1].number : 0) && all[at].number <= PARTICIPANTS_MAX);
        CHECK(all[at].role <= RR_ROLE_CLIENT && all[at].alive <= 1 && all[at].reserved == 0);
        CHECK(all[at].held <= 2 * total_slots);
    }
}

static inline void tend(rr_channel *which)
{
    int64_t due_ns = 0;
    WATCH(rr_channel_tend, AT_ONCE, which, &due_ns);
    CHECK(due_ns >= -1 && due_ns <= 1000 * MS);
}

static inline void ask_what_it_is(rr_channel *which)
{
    char path[512];
    CHECK((size_t)WATCH(rr_channel_request_max, AT_ONCE, which) == request_max);
    CHECK((size_t)WATCH(rr_channel_response_max, AT_ONCE, which) == response_max);
    CHECK(WATCH(rr_channel_slots, AT_ONCE, which) <= total_slots);
    CHECK(WATCH(rr_channel_kind, AT_ONCE, which) <= RR_KIND_INT);
    CHECK(WATCH(rr_channel_fd, AT_ONCE, which) >= 0);
    CHECK(WATCH(rr_channel_path, AT_ONCE, which, path, sizeof path) == (int64_t)strlen(channel));
    CHECK(WATCH(rr_channel_is_current, AT_ONCE, which) == 1);
    WATCH(rr_channel_sync, AT_ONCE, which);
}

static inline void notify(rr_channel *which)
{
    switch (below(10)) {
    case 0:
        WATCH(rr_channel_request_fd, AT_ONCE, which);
        WATCH(rr_channel_request_fd_make, AT_ONCE, which);
        break;
    case 1:
        WATCH(rr_channel_reply_fd, AT_ONCE, which);
        WATCH(rr_channel_reply_fd_make, AT_ONCE, which);
        break;
    case 2:
    case 3: {
        int fd = below(4) ? eventfd(0, EFD_CLOEXEC) : -1;
        if (below(2))
            WATCH(rr_channel_request_fd_set, AT_ONCE, which, fd);
        else
            WATCH(rr_channel_reply_fd_set, AT_ONCE, which, fd);
        if (fd >= 0)
            close(fd);
        break;
    }
    case 4:
    case 5:
        WATCH(rr_channel_notify_requests, AT_ONCE, which);
        WATCH(rr_channel_notify_replies, AT_ONCE, which);
        break;
    default:
        WATCH(rr_channel_consume_requests, AT_ONCE, which);
        WATCH(rr_channel_consume_replies, AT_ONCE, which);
        break;
    }
}

static inline void ask_channel(rr_channel *which)
{
    rr_stats stats = RR_STATS_INIT;
    switch (below(9)) {
    case 0:
        WATCH(rr_channel_stats, AT_ONCE, which, &stats);
        CHECK(stats.in_flight <= total_slots && stats.queued <= total_slots && stats.free <= stats.slots);
        break;
    case 1:
        CHECK(WATCH(rr_channel_queued, AT_ONCE, which) <= total_slots);
        CHECK(WATCH(rr_channel_is_empty, AT_ONCE, which) <= 1);
        WATCH(rr_channel_user, AT_ONCE, which);
        break;
    case 2:
        CHECK(WATCH(rr_channel_recover, AT_ONCE, which) <= PARTICIPANTS_MAX);
        break;
    case 3:
        CHECK(WATCH(rr_channel_clear, AT_ONCE, which) <= total_slots);
        break;
    case 4:
        ask_who_is_there(which);
        break;
    case 5:
        ask_what_it_is(which);
        break;
    case 6:
        tend(which);
        break;
    default:
        notify(which);
        break;
    }
}

/* Options for a handle on a channel of a kind: some signal everything, some need a server. */
static inline rr_options some_options(uint32_t kind)
{
    rr_options options = RR_OPTIONS_INIT;
    options.kind = kind;
    options.flags = (below(2) ? RR_OPT_NOTIFY : 0) | (below(2) ? RR_OPT_NEED_SERVER : 0);
    return options;
}

#endif
