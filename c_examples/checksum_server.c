/*
 * checksum_server CHANNEL: a server in C. It takes chunks of bytes from the channel, 64 KiB at most if it made the
 * channel itself, and replies to each with the CRC-32C of its bytes: four bytes, the least significant first.
 *
 * The first server makes the channel, the others join it. SIGINT and SIGTERM end a server after the request it is at;
 * the channel stays for the others (`rm /dev/shm/CHANNEL` when no one needs it any more).
 */
#define _POSIX_C_SOURCE 200809L

#include "crc32c.h"
#include "shmrr.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CHUNK_MAX 65536

static _Atomic(rr_server *) serving;

static void stop_serving(int signal_number)
{
    (void)signal_number;
    rr_server *server = atomic_load(&serving);
    if (server)
        (void)rr_server_stop(server);
}

/* A second signal of the same kind finds the default action again, should the first not be enough. */
static void stop_on_signals(void)
{
    struct sigaction action = {.sa_handler = stop_serving, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

typedef struct totals {
    uint64_t replies, bytes, late;
} totals;

/* Serves until the handle is stopped: 0, or the error code that ended it. */
static int64_t serve(rr_server *server, void *chunk, size_t capacity, totals *total)
{
    crc32c_table table;
    crc32c_init(&table);

    for (;;) {
        rr_request request;
        int64_t length = rr_recv_wait(server, chunk, capacity, &request, -1);
        if (length == -EINTR)
            continue;
        if (length < 0)
            return length == -ESHUTDOWN ? 0 : length;

        unsigned char wire[CRC32C_SIZE];
        crc32c_store(wire, crc32c(&table, chunk, (size_t)length));
        int code = rr_reply(server, request.id, wire, sizeof wire);
        switch (code) {
        case 0:
            total->replies++;
            total->bytes += (uint64_t)length;
            break;
        case -ESTALE: /* the caller gave up or died: its reply has nowhere to go */
            total->late++;
            break;
        case -ESHUTDOWN: /* stopped with a request in hand: rr_server_free tells its caller */
            return 0;
        default:
            return code;
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s CHANNEL\n", argv[0]);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);

    rr_options options = RR_OPTIONS_INIT;
    options.request_max = CHUNK_MAX;
    rr_server *server;
    rr_error error;
    if (rr_server_new(argv[1], &options, &server, &error) < 0) {
        fprintf(stderr, "checksum_server: %s\n", error.message);
        return 1;
    }
    atomic_store(&serving, server);
    stop_on_signals();

    /* Whoever made the channel chose the limit: a buffer of that size holds every request. */
    size_t capacity = (size_t)rr_channel_request_max(rr_server_channel(server));
    void *chunk = malloc(capacity > 0 ? capacity : 1);
    totals total = {0};
    int64_t code = -ENOMEM;
    if (chunk) {
        printf("serving %s, pid %ld\n", argv[1], (long)getpid());
        code = serve(server, chunk, capacity, &total);
        printf("answered %" PRIu64 " requests, %" PRIu64 " bytes; %" PRIu64 " callers had gone\n", total.replies,
               total.bytes, total.late);
    }
    if (code < 0)
        fprintf(stderr, "checksum_server: %s: %s\n", argv[1], rr_strerror((int)code));

    atomic_store(&serving, NULL);
    rr_server_free(server);
    free(chunk);
    return code < 0 ? 1 : 0;
}
