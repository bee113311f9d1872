/*
 * The process that is killed by tests/kill.rs: does the acts that its arguments name, on the channel that the first of
 * them names, and stops itself before each act and after the last. Its tracer lets it go on, or not.
 */
#define _GNU_SOURCE

#include "shmrr.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <unistd.h>

/* As in tests/kill/survivors.rs and tests/kill/tracer.rs. */
#define LENGTH 200
#define ANSWER 0x5A
#define WATCHDOG 60
#define NOT_TRACED 77
#define PATIENCE INT64_C(30000000000)

static const char *path;
static rr_options options = RR_OPTIONS_INIT;
static rr_server *server;
static rr_client *client;
static uint64_t sent;
static rr_request taken;
static unsigned char request[LENGTH], buffer[LENGTH];

/* A request says who sent it and which of his it is. */
static void compose(void)
{
    static unsigned char number;
    int pid = getpid();
    for (int k = 0; k < LENGTH; k++)
        request[k] = (unsigned char)(7 * k + number);
    request[0] = number++;
    memcpy(request + 1, &pid, sizeof pid);
}

static int reply(void)
{
    for (uint64_t k = 0; k < taken.length; k++)
        buffer[k] ^= ANSWER;
    return rr_reply(server, taken.id, buffer, taken.length);
}

static int64_t act(const char *name)
{
    if (strcmp(name, "server") == 0)
        return rr_server_new(path, &options, &server, NULL);
    if (strcmp(name, "client") == 0)
        return rr_client_new(path, &options, &client, NULL);
    if (strcmp(name, "send") == 0) {
        compose();
        return rr_client_send(client, request, sizeof request, &sent);
    }
    if (strcmp(name, "send in vain") == 0)
        return rr_client_send(client, request, sizeof request, &sent) == -ENOBUFS ? 0 : -EINVAL;
    if (strcmp(name, "req") == 0) {
        compose();
        return rr_client_req(client, request, sizeof request, buffer, sizeof buffer, PATIENCE);
    }
    if (strcmp(name, "get") == 0)
        return rr_client_get(client, sent, buffer, sizeof buffer);
    if (strcmp(name, "wait in vain") == 0)
        return rr_client_get_wait(client, sent, buffer, sizeof buffer, PATIENCE) == -EOWNERDEAD ? 0 : -EINVAL;
    if (strcmp(name, "cancel") == 0)
        return rr_client_cancel(client, sent);
    if (strcmp(name, "recv") == 0)
        return rr_recv(server, buffer, sizeof buffer, &taken);
    if (strcmp(name, "recv_wait") == 0)
        return rr_recv_wait(server, buffer, sizeof buffer, &taken, PATIENCE);
    if (strcmp(name, "reply") == 0)
        return reply();
    if (strcmp(name, "reply in vain") == 0)
        return reply() == -ESTALE ? 0 : -EINVAL;
    if (strcmp(name, "recover") == 0)
        return rr_channel_recover(rr_client_channel(client));
    if (strcmp(name, "leave") == 0) {
        rr_client_free(client);
        rr_server_free(server);
        return 0;
    }
    return -ENOSYS;
}

int main(int count, char **arguments)
{
    if (count < 2)
        return 2;
    alarm(WATCHDOG);
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        return NOT_TRACED;
    path = arguments[1];
    options.slots = 4;
    options.participants = 8;
    options.request_max = options.response_max = LENGTH;
    /* Polling would be the same instructions over and over again. */
    options.spin_ns = -1;
    for (int k = 2; k < count; k++) {
        raise(SIGSTOP);
        int64_t result = act(arguments[k]);
        if (result < 0) {
            fprintf(stderr, "victim: %s: %" PRId64 ": %s\n", arguments[k], result, rr_strerror((int)result));
            return 1;
        }
    }
    for (;;)
        raise(SIGSTOP);
}
