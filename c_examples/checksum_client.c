/*
 * checksum_client CHANNEL DIRECTORY: a client in C. It walks the directory, sends every regular file in chunks of up to
 * 64 KiB to the servers of the channel (an empty file as one empty chunk) and compares each CRC-32C that comes back,
 * four bytes with the least significant first, with its own. Symbolic links are not followed; what can't be read is
 * reported and skipped. A request whose server died is sent again.
 *
 * On standard output, `progress` lines while it runs, five a second at most, and one `done` line at the end, both of
 * name=value pairs; times in nanoseconds. Exit status: 0 all equal, 1 a mismatch or an error, 2 wrong usage,
 * 128 + N ended by signal N.
 */
#define _XOPEN_SOURCE 700

#include "crc32c.h"
#include "shmrr.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CHUNK_MAX 65536
#define SECOND INT64_C(1000000000)
#define CONNECT_TIMEOUT (10 * SECOND)
#define REPLY_TIMEOUT (30 * SECOND)
#define PROGRESS_EVERY (SECOND / 5)
#define DIRECTORIES_OPEN 32

typedef enum outcome { GOES_ON = 0, ENDS = 1 } outcome; /* as nftw(3) wants it from its callback */

/* nftw(3) hands its callback no context, so what a walk needs stands here. */
static struct {
    crc32c_table table;
    unsigned char chunk[CHUNK_MAX];
    size_t chunk_size;
    uint64_t files, bytes, requests, resent, skipped, mismatches;
    int64_t *round_trips;
    size_t round_trips_room;
    int64_t progress_due;
} run;

static _Atomic(rr_client *) calling;
static volatile sig_atomic_t caught;

static void stop_calling(int signal_number)
{
    caught = signal_number;
    rr_client *client = atomic_load(&calling);
    if (client)
        (void)rr_client_stop(client);
}

/* A second signal of the same kind finds the default action again, should the first not be enough. */
static void stop_on_signals(void)
{
    struct sigaction action = {.sa_handler = stop_calling, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * SECOND + time.tv_nsec;
}

static outcome record(int64_t round_trip)
{
    if (run.requests == run.round_trips_room) {
        size_t room = run.round_trips_room ? 2 * run.round_trips_room : 4096;
        int64_t *grown = realloc(run.round_trips, room * sizeof *grown);
        if (!grown) {
            fprintf(stderr, "checksum_client: no memory for %zu round trip times\n", room);
            return ENDS;
        }
        run.round_trips = grown;
        run.round_trips_room = room;
    }
    run.round_trips[run.requests++] = round_trip;
    return GOES_ON;
}

static void show_progress(int64_t time)
{
    if (time < run.progress_due)
        return;
    run.progress_due = time + PROGRESS_EVERY;
    printf("progress files=%" PRIu64 " bytes=%" PRIu64 " requests=%" PRIu64 "\n", run.files, run.bytes, run.requests);
}

/* One chunk there and its checksum back, however many servers die over it. */
static outcome ask(const char *path, size_t length, uint32_t *crc)
{
    for (;;) {
        unsigned char wire[CRC32C_SIZE];
        int64_t sent = now();
        int64_t got = rr_client_req(calling, run.chunk, length, wire, sizeof wire, REPLY_TIMEOUT);
        int64_t answered = now();

        switch (got) {
        case CRC32C_SIZE:
            *crc = crc32c_load(wire);
            if (record(answered - sent) == ENDS)
                return ENDS;
            show_progress(answered);
            return GOES_ON;
        case -EOWNERDEAD:
            fprintf(stderr, "checksum_client: %s: the server died with the request; sending it again\n", path);
            run.resent++;
            break;
        case -EINTR:
            break;
        case -ESHUTDOWN:
            return ENDS;
        default:
            if (got < 0)
                fprintf(stderr, "checksum_client: %s: %s\n", path, rr_strerror((int)got));
            else
                fprintf(stderr, "checksum_client: %s: a reply of %" PRId64 " bytes is no checksum\n", path, got);
            return ENDS;
        }
    }
}

/* Fills the chunk unless the file ends before: its length, or -1 with errno. */
static ssize_t read_chunk(int file)
{
    size_t length = 0;
    while (length < run.chunk_size) {
        ssize_t got = read(file, run.chunk + length, run.chunk_size - length);
        if (got < 0 && errno == EINTR && !caught)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        length += (size_t)got;
    }
    return (ssize_t)length;
}

static outcome skip(const char *path, const char *why)
{
    fprintf(stderr, "checksum_client: %s: skipped: %s\n", path, why);
    run.skipped++;
    return GOES_ON;
}

static outcome send_file(const char *path, int file)
{
    uint64_t offset = 0;
    for (;;) {
        ssize_t length = read_chunk(file);
        if (caught)
            return ENDS;
        if (length < 0)
            return skip(path, strerror(errno));
        if (length == 0 && offset > 0)
            break;

        uint32_t theirs, ours = crc32c(&run.table, run.chunk, (size_t)length);
        if (ask(path, (size_t)length, &theirs) == ENDS)
            return ENDS;
        if (theirs != ours) {
            fprintf(stderr, "checksum_client: %s: at byte %" PRIu64 ": got %08" PRIx32 ", expected %08" PRIx32 "\n",
                    path, offset, theirs, ours);
            run.mismatches++;
        }
        offset += (uint64_t)length;
        run.bytes += (uint64_t)length;
        if ((size_t)length < run.chunk_size)
            break;
    }
    run.files++;
    return GOES_ON;
}

static int visit(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)place;
    if (caught)
        return ENDS;
    if (kind == FTW_DNR || kind == FTW_NS)
        return skip(path, kind == FTW_DNR ? "the directory can't be read" : "its attributes can't be read");
    if (kind != FTW_F || !S_ISREG(status->st_mode))
        return GOES_ON;

    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0)
        return skip(path, strerror(errno));
    outcome result = send_file(path, file);
    close(file);
    return result;
}

static int compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* The smallest recorded time that `percent` of all do not exceed. */
static int64_t percentile(unsigned percent)
{
    return run.requests ? run.round_trips[(run.requests * percent + 99) / 100 - 1] : 0;
}

static void show_result(void)
{
    if (run.requests)
        qsort(run.round_trips, run.requests, sizeof *run.round_trips, compare);
    printf("done files=%" PRIu64 " bytes=%" PRIu64 " requests=%" PRIu64 " resent=%" PRIu64 " skipped=%" PRIu64
           " mismatches=%" PRIu64 " p50=%" PRId64 " p99=%" PRId64 " max=%" PRId64 "\n",
           run.files, run.bytes, run.requests, run.resent, run.skipped, run.mismatches, percentile(50), percentile(99),
           percentile(100));
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s CHANNEL DIRECTORY\n", argv[0]);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);

    /* A root that is itself a link is meant as the directory behind it. */
    char *root = realpath(argv[2], NULL);
    struct stat status;
    if (!root || stat(root, &status) < 0 || !S_ISDIR(status.st_mode)) {
        fprintf(stderr, "checksum_client: %s: %s\n", argv[2], root ? "not a directory" : strerror(errno));
        free(root);
        return 1;
    }

    rr_options options = RR_OPTIONS_INIT;
    options.connect_timeout_ns = CONNECT_TIMEOUT;
    rr_client *client;
    rr_error error;
    if (rr_client_new(argv[1], &options, &client, &error) < 0) {
        fprintf(stderr, "checksum_client: %s\n", error.message);
        free(root);
        return 1;
    }
    atomic_store(&calling, client);
    stop_on_signals();

    int64_t limit = rr_channel_request_max(rr_client_channel(client));
    run.chunk_size = limit < CHUNK_MAX ? (size_t)limit : CHUNK_MAX;
    crc32c_init(&run.table);
    int walked = nftw(root, visit, DIRECTORIES_OPEN, FTW_PHYS);
    if (walked < 0)
        fprintf(stderr, "checksum_client: %s: %s\n", root, strerror(errno));
    if (walked == GOES_ON)
        show_result();

    atomic_store(&calling, NULL);
    rr_client_free(client);
    free(run.round_trips);
    free(root);
    if (caught)
        return 128 + caught;
    return walked == GOES_ON && run.mismatches == 0 ? 0 : 1;
}
