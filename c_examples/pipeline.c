/*
 * pipeline: many requests in flight, taken and answered by the batch.
 *
 * The client keeps as many jobs in flight as there are slots, and collects whichever is done first. The server takes up
 * to eight at a time, and says for each how many primes there are up to its number. A one-way message ends it.
 */
#define _POSIX_C_SOURCE 200809L

#include "shmrr.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOTS 32
#define BATCH 8
#define JOBS 2000

static const rr_wait patience = {.size = sizeof patience, .timeout_ns = INT64_C(10000000000)};

/* Ends the program unless the call went well. */
static int64_t check(const char *call, int64_t result)
{
    if (result < 0) {
        fprintf(stderr, "pipeline: %s: %s\n", call, rr_strerror((int)result));
        exit(1);
    }
    return result;
}

static uint32_t primes_up_to(uint32_t limit)
{
    uint32_t count = 0;
    for (uint32_t n = 2; n <= limit; n++) {
        uint32_t divisor = 2;
        while (divisor * divisor <= n && n % divisor != 0)
            divisor++;
        count += divisor * divisor > n;
    }
    return count;
}

static void serve(rr_server *server)
{
    for (;;) {
        rr_view jobs[BATCH];
        int64_t count = check("rr_recv_batch", rr_recv_batch(server, jobs, sizeof(rr_view), BATCH, &patience));
        for (int64_t k = 0; k < count; k++) {
            if (jobs[k].flags & RR_MSG_ONE_WAY) {
                check("rr_release", rr_release(server, jobs[k].id));
                return;
            }
            uint32_t limit;
            memcpy(&limit, jobs[k].data, sizeof limit);
            uint32_t primes = primes_up_to(limit);
            check("rr_reply", rr_reply(server, jobs[k].id, &primes, sizeof primes));
        }
    }
}

/* Has all jobs done, and returns how many answers were right. */
static uint32_t have_done(rr_client *client)
{
    uint64_t ids[SLOTS] = {0}; /* 0 is no request */
    uint32_t limits[SLOTS], sent = 0, done = 0, right = 0;
    while (done < JOBS) {
        for (size_t k = 0; k < SLOTS && sent < JOBS; k++) {
            if (ids[k] == 0) {
                limits[k] = sent++;
                check("rr_client_send", rr_client_send(client, &limits[k], sizeof limits[k], &ids[k]));
            }
        }
        int64_t first = check("rr_client_wait_any", rr_client_wait_any(client, ids, SLOTS, &patience));
        uint32_t primes;
        check("rr_client_get", rr_client_get(client, ids[first], &primes, sizeof primes));
        right += primes == primes_up_to(limits[first]);
        ids[first] = 0;
        done++;
    }
    return right;
}

int main(void)
{
    rr_options options = RR_OPTIONS_INIT;
    options.slots = SLOTS;

    /* A channel without a name belongs to this process and to those that it forks. */
    rr_server *server;
    rr_error error;
    if (rr_server_new(NULL, &options, &server, &error) < 0) {
        fprintf(stderr, "pipeline: %s\n", error.message);
        return 1;
    }
    pid_t child = fork();
    if (child < 0) {
        perror("pipeline: fork");
        return 1;
    }
    if (child == 0) {
        serve(server);
        rr_server_free(server);
        return 0;
    }

    rr_client *client;
    check("rr_client_from_server", rr_client_from_server(server, NULL, &client, NULL));
    uint32_t right = have_done(client);
    check("rr_client_post", rr_client_post(client, "end", 3, patience.timeout_ns));
    printf("%d jobs, %" PRIu32 " answers right\n", JOBS, right);
    rr_client_free(client);
    rr_server_free(server);

    int status;
    int served = waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    return right == JOBS && served ? 0 : 1;
}
