/*
 * counter: a channel of integers.
 *
 * The server keeps a total; a request is a number to be added to it, and its reply is the total then. Several clients add
 * at once. Whoever needs no more than a number each way needs no buffers.
 */
#define _POSIX_C_SOURCE 200809L

#include "shmrr.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLIENTS 4
#define ADDITIONS INT64_C(1000)
#define PATIENCE INT64_C(10000000000)

/* Ends the program unless the call went well. */
static void check(const char *call, int64_t result)
{
    if (result < 0) {
        fprintf(stderr, "counter: %s: %s\n", call, rr_strerror((int)result));
        exit(1);
    }
}

/* Adds the numbers from 1 on; the total must grow by that much at least. */
static int add(const rr_server *server)
{
    rr_options options = RR_OPTIONS_INIT;
    options.kind = RR_KIND_INT;
    rr_client *client;
    check("rr_client_from_server", rr_client_from_server(server, &options, &client, NULL));
    int64_t before = 0, total;
    for (int64_t number = 1; number <= ADDITIONS; number++) {
        check("rr_client_req_i64", rr_client_req_i64(client, number, &total, PATIENCE));
        if (total < before + number)
            return 1;
        before = total;
    }
    rr_client_free(client);
    return 0;
}

static int64_t serve(rr_server *server)
{
    int64_t total = 0;
    for (int64_t k = 0; k < CLIENTS * ADDITIONS; k++) {
        int64_t number;
        rr_request request;
        check("rr_recv_wait_i64", rr_recv_wait_i64(server, &number, &request, PATIENCE));
        total += number;
        check("rr_reply_i64", rr_reply_i64(server, request.id, total));
    }
    return total;
}

int main(void)
{
    rr_options options = RR_OPTIONS_INIT;
    options.kind = RR_KIND_INT;

    /* A channel without a name belongs to this process and to those that it forks. */
    rr_server *server;
    rr_error error;
    if (rr_server_new(NULL, &options, &server, &error) < 0) {
        fprintf(stderr, "counter: %s\n", error.message);
        return 1;
    }
    for (int k = 0; k < CLIENTS; k++) {
        pid_t child = fork();
        if (child < 0) {
            perror("counter: fork");
            return 1;
        }
        if (child == 0) {
            int status = add(server);
            rr_server_free(server);
            return status;
        }
    }
    int64_t total = serve(server), expected = CLIENTS * ADDITIONS * (ADDITIONS + 1) / 2;
    printf("%d clients added up to %" PRId64 ", expected %" PRId64 "\n", CLIENTS, total, expected);
    rr_server_free(server);

    int status, failed = 0;
    while (wait(&status) > 0)
        failed += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    return total == expected && failed == 0 ? 0 : 1;
}
