/*
 * two_way [CHAINS]: two processes that call each other, and each other back before they reply.
 *
 *   caller here ──1──▶ there ──2──▶ here ──3──▶ there
 *
 * Each process serves a channel of its own and is a client of the other's. In each, CALLERS threads start CHAINS chains
 * of DEPTH calls; the reply to a call tells how many calls were made for it. See docs/PATTERNS.md for the number of
 * slots and of threads that this needs.
 */
#define _POSIX_C_SOURCE 200809L

#include "shmrr.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEPTH 3
#define CALLERS 2
/* A side is in the midst of at most so many calls: 1 and 3 of each chain from there, 2 of each from here. */
#define CALLS_AT_ONCE (CALLERS * DEPTH)
#define PATIENCE INT64_C(30000000000) /* nanoseconds */

typedef struct side {
    rr_server *own;
    rr_client *other;
    uint32_t chains;
    sem_t done; /* posted when this side starts no more chains */
    pthread_t serving[CALLS_AT_ONCE], calling[CALLERS];
} side;

/* Asks the other side for `depth` calls, the first of which is this one. 0, or a negative code. */
static int call(side *here, uint32_t depth, uint32_t *made)
{
    int64_t length = rr_client_req(here->other, &depth, sizeof depth, made, sizeof *made, PATIENCE);
    return length < 0 ? (int)length : length == sizeof *made ? 0 : -EBADMSG;
}

/* Calls back before it replies, if there are calls to be made. Depth 0 asks for leave to end. */
static int handle(void *context, const rr_view *request, rr_buffer *reply)
{
    side *here = context;
    uint32_t depth, made = 0;
    if (request->length != sizeof depth)
        return -EBADMSG;
    memcpy(&depth, request->data, sizeof depth);
    if (depth > 1) {
        int code = call(here, depth - 1, &made);
        if (code < 0)
            return code; /* the caller gets -EREMOTEIO and this */
    }
    if (depth > 0)
        made++;
    else
        sem_wait(&here->done);
    memcpy(reply->data, &made, sizeof made);
    reply->length = sizeof made;
    return RR_SERVE_CONTINUE;
}

static void *serve(void *context)
{
    side *here = context;
    while (rr_serve(here->own, handle, here, NULL) == -EINTR)
        continue;
    return NULL;
}

/* Returns itself if all went well. */
static void *start_chains(void *context)
{
    side *here = context;
    for (uint32_t k = 0; k < here->chains; k++) {
        uint32_t made = 0;
        int code = call(here, DEPTH, &made);
        if (code < 0 || made != DEPTH) {
            fprintf(stderr, "two_way: chain %u: %s; %u calls\n", k, rr_strerror(code), made);
            return NULL;
        }
    }
    return here;
}

static int start(side *here)
{
    int failed = sem_init(&here->done, 0, 0);
    for (int k = 0; k < CALLS_AT_ONCE; k++)
        failed |= pthread_create(&here->serving[k], NULL, serve, here);
    for (int k = 0; k < CALLERS; k++)
        failed |= pthread_create(&here->calling[k], NULL, start_chains, here);
    return failed ? -1 : 0;
}

/* Waits for the chains that started here. */
static int finish(side *here)
{
    int failures = 0;
    for (int k = 0; k < CALLERS; k++) {
        void *went_well;
        pthread_join(here->calling[k], &went_well);
        failures += !went_well;
    }
    sem_post(&here->done);
    return failures;
}

static void stop(side *here)
{
    rr_server_stop(here->own);
    for (int k = 0; k < CALLS_AT_ONCE; k++)
        pthread_join(here->serving[k], NULL);
    sem_destroy(&here->done);
    rr_client_free(here->other);
    rr_server_free(here->own);
}

/* The child ends first, when its parent makes no more calls; the parent ends after it, however it ended. */
static int run_child(side *here)
{
    uint32_t made;
    if (start(here) < 0)
        return 1;
    int failures = finish(here);
    failures += call(here, 0, &made) < 0;
    stop(here);
    return failures > 0;
}

static int run_parent(side *here, pid_t child)
{
    int status = -1;
    if (start(here) < 0)
        return 1;
    int failures = finish(here);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    stop(here);
    return failures > 0 || status != 0;
}

static int open_channel(rr_server **server, rr_client **client)
{
    rr_options options = RR_OPTIONS_INIT;
    options.slots = CALLS_AT_ONCE;
    rr_error error;
    if (rr_server_new(NULL, &options, server, &error) < 0 || rr_client_from_server(*server, NULL, client, &error) < 0)
        return fprintf(stderr, "two_way: %s\n", error.message), -1;
    return 0;
}

int main(int argc, char **argv)
{
    /* The parent serves the first channel, and the child the second. */
    rr_server *servers[2];
    rr_client *clients[2];
    for (int k = 0; k < 2; k++) {
        if (open_channel(&servers[k], &clients[k]) < 0)
            return 1;
    }
    uint32_t chains = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 5000;
    pid_t child = fork();
    if (child < 0)
        return perror("two_way: fork"), 1;
    int mine = child == 0, others = !mine;
    rr_server_free(servers[others]);
    rr_client_free(clients[mine]);
    side here = {.own = servers[mine], .other = clients[others], .chains = chains};
    if (child == 0)
        return run_child(&here);
    int failed = run_parent(&here, child);
    printf("%u chains of %d calls from each side: %s\n", CALLERS * chains, DEPTH, failed ? "some failed" : "all came back");
    return failed;
}
