/*
 * in_place: a megabyte there and a megabyte back, and nobody copies any of it.
 *
 * The client writes a column of numbers into the channel's memory. The server reads it where it lies, and writes the
 * column's running sums to where the client then reads them. What passes between the two is only the word that it is
 * done.
 */
#define _POSIX_C_SOURCE 200809L

#include "shmrr.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define MESSAGE ((size_t)1 << 20)
#define NUMBERS (MESSAGE / sizeof(uint64_t))

static const rr_wait patience = {.size = sizeof patience, .timeout_ns = INT64_C(10000000000)};

/* Ends the program unless the call went well. */
static void check(const char *call, int64_t result)
{
    if (result < 0) {
        fprintf(stderr, "in_place: %s: %s\n", call, rr_strerror((int)result));
        exit(1);
    }
}

/* Replies to one request with its running sums. */
static void serve(rr_server *server)
{
    rr_view request;
    check("rr_recv_view", rr_recv_view(server, &request, &patience));
    rr_buffer reply = RR_BUFFER_INIT; /* as long as the longest request */
    check("rr_reply_loan", rr_reply_loan(server, request.id, &reply));

    const uint64_t *numbers = request.data;
    uint64_t *sums = reply.data, sum = 0;
    for (size_t k = 0; k < request.length / sizeof *numbers; k++)
        sums[k] = sum += numbers[k];

    /* From here on the client reads the sums, and the numbers may be overwritten. */
    reply.length = request.length;
    check("rr_reply_commit", rr_reply_commit(server, &reply));
}

/* Sends the numbers from 1 on, and returns how many of their running sums came back right. */
static size_t ask(rr_client *client)
{
    rr_buffer request = RR_BUFFER_INIT;
    check("rr_client_loan", rr_client_loan(client, &request, &patience));
    uint64_t *numbers = request.data;
    for (size_t k = 0; k < NUMBERS; k++)
        numbers[k] = k + 1;
    uint64_t id;
    request.length = MESSAGE;
    check("rr_client_commit", rr_client_commit(client, &request, &id));

    rr_view reply;
    check("rr_client_view", rr_client_view(client, id, &reply, NULL, &patience));
    const uint64_t *sums = reply.data;
    size_t right = 0;
    for (size_t n = 1; n <= reply.length / sizeof *sums; n++)
        right += sums[n - 1] == n * (n + 1) / 2;
    check("rr_client_release", rr_client_release(client, id));
    return right;
}

int main(void)
{
    rr_options options = RR_OPTIONS_INIT;
    options.slots = 1;
    options.request_max = MESSAGE;
    options.response_max = MESSAGE;

    /* A channel without a name belongs to this process and to those that it forks. */
    rr_server *server;
    rr_error error;
    if (rr_server_new(NULL, &options, &server, &error) < 0) {
        fprintf(stderr, "in_place: %s\n", error.message);
        return 1;
    }
    pid_t child = fork();
    if (child < 0) {
        perror("in_place: fork");
        return 1;
    }
    if (child == 0) {
        serve(server);
        rr_server_free(server);
        return 0;
    }

    rr_client *client;
    check("rr_client_from_server", rr_client_from_server(server, NULL, &client, NULL));
    size_t right = ask(client);
    printf("%zu KiB there and back in place: %zu of %zu sums right\n", MESSAGE >> 10, right, NUMBERS);
    rr_client_free(client);
    rr_server_free(server);

    int status;
    int served = waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    return right == NUMBERS && served ? 0 : 1;
}
