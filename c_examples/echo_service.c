/*
 * echo_service CHANNEL serves a channel: each request gets back what it says. SIGINT or SIGTERM ends the service after the
 * reply it is at; the channel stays for the next one. echo_service CHANNEL TEXT is a client: it prints the reply to TEXT.
 */
#define _POSIX_C_SOURCE 200809L

#include "shmrr.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define PATIENCE INT64_C(10000000000) /* nanoseconds */

static rr_server *server;

static void stop_serving(int signal_number)
{
    (void)signal_number;
    (void)rr_server_stop(server);
}

static void on_signals(void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static int echo(void *count, const rr_view *request, rr_buffer *reply)
{
    if (request->length > reply->capacity)
        return -EMSGSIZE; /* the client gets -EREMOTEIO, this code and its sentence */
    memcpy(reply->data, request->data, request->length);
    reply->length = request->length;
    ++*(uint64_t *)count;
    return RR_SERVE_CONTINUE;
}

static int serve(const char *channel)
{
    rr_error error;
    if (rr_server_new(channel, NULL, &server, &error) < 0)
        return fprintf(stderr, "echo_service: %s\n", error.message), 1;
    on_signals(stop_serving);
    printf("serving %s\n", channel);
    fflush(stdout);

    uint64_t count = 0;
    int code;
    while ((code = rr_serve(server, echo, &count, NULL)) == -EINTR)
        continue;
    printf("%" PRIu64 " replies; %s\n", count, rr_strerror(code));

    on_signals(SIG_IGN); /* none may find the handle freed */
    rr_server_free(server);
    return code == -ESHUTDOWN ? 0 : 1;
}

static int ask(const char *channel, const char *text)
{
    rr_options options = RR_OPTIONS_INIT;
    options.connect_timeout_ns = PATIENCE;
    rr_client *client;
    rr_error error;
    if (rr_client_new(channel, &options, &client, &error) < 0)
        return fprintf(stderr, "echo_service: %s\n", error.message), 1;
    char reply[4096];
    int64_t length = rr_client_req(client, text, strlen(text), reply, sizeof reply, PATIENCE);
    if (length < 0)
        fprintf(stderr, "echo_service: %s: %s\n", channel, rr_strerror((int)length));
    else
        printf("%.*s\n", (int)length, reply);
    rr_client_free(client);
    return length < 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 || argc == 3)
        return argc == 2 ? serve(argv[1]) : ask(argv[1], argv[2]);
    return fprintf(stderr, "usage: %s CHANNEL [TEXT]\n", argv[0]), 2;
}
