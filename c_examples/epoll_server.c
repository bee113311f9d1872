/*
 * epoll_server server NAME: a server that waits for everything with epoll: for requests, for SIGINT and SIGTERM, which end
 * it, and for what is to be done now and then. The reply to a text is the text in capitals.
 *
 * epoll_server client NAME N: a client that waits with epoll as well. It sends N texts, a few at a time, and checks the
 * replies.
 *
 * Both know the channel by its name, and nothing is passed between them: any client of the channel wakes the server.
 */
#define _GNU_SOURCE

#include "shmrr.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define BATCH 16
#define AHEAD 4

/* Adds descriptors to a new set. */
static int epoll_of(const int *watched, size_t count)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        return -errno;
    for (size_t k = 0; k < count; k++) {
        struct epoll_event wanted = {.events = EPOLLIN, .data.fd = watched[k]};
        if (watched[k] < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, watched[k], &wanted) < 0) {
            int code = watched[k] < 0 ? watched[k] : -errno;
            close(epoll);
            return code;
        }
    }
    return epoll;
}

/* Waits until a descriptor of the set is readable, or the channel is to be tended. The descriptor, 0 or a code. */
static int wait_for_any(int epoll, rr_channel *channel)
{
    int64_t due;
    int64_t code = rr_channel_tend(channel, &due);
    if (code < 0)
        return (int)code;
    struct epoll_event event;
    int found = epoll_wait(epoll, &event, 1, due < 0 ? -1 : (int)((due + 999999) / 1000000));
    if (found < 0)
        return errno == EINTR ? 0 : -errno;
    return found == 0 ? 0 : event.data.fd;
}

/* ---- the server ---- */

static uint64_t replies;

static int answer(rr_server *server, const rr_view *request)
{
    rr_buffer reply = RR_BUFFER_INIT;
    int code = rr_reply_loan(server, request->id, &reply);
    if (code < 0)
        return code;
    reply.length = request->length < reply.capacity ? request->length : reply.capacity;
    for (size_t k = 0; k < reply.length; k++)
        ((unsigned char *)reply.data)[k] = (unsigned char)toupper(((const unsigned char *)request->data)[k]);
    return rr_reply_commit(server, &reply);
}

/* Takes a batch; the number taken, or a code. */
static int64_t serve(rr_server *server)
{
    rr_view views[BATCH];
    int64_t taken = rr_drain(server, views, sizeof *views, BATCH);
    for (int64_t k = 0; k < taken; k++) {
        int code = answer(server, &views[k]);
        if (code < 0 && code != -ESTALE) /* the client gave up: its reply has nowhere to go */
            return code;
        replies += code == 0;
    }
    return taken == -EAGAIN ? 0 : taken;
}

static int run(rr_server *server, int signals)
{
    const int watched[] = {signals, rr_server_poll_fd(server)};
    int epoll = epoll_of(watched, 2);
    int64_t code = epoll < 0 ? epoll : 0;
    int is_over = 0;
    while (code >= 0 && !is_over) {
        code = serve(server);
        if (code == 0)
            code = rr_server_arm(server); /* 1 if something came meanwhile */
        if (code == 0) {
            code = wait_for_any(epoll, rr_server_channel(server));
            is_over = code == signals;
        }
    }
    if (epoll >= 0)
        close(epoll);
    return code < 0 ? (int)code : 0;
}

static int run_server(const char *name, rr_error *error)
{
    sigset_t ending;
    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    sigprocmask(SIG_BLOCK, &ending, NULL);
    rr_server *server;
    int code = rr_server_new(name, NULL, &server, error);
    if (code < 0)
        return code;
    int signals = signalfd(-1, &ending, SFD_CLOEXEC);
    printf("serving %s, pid %ld\n", name, (long)getpid());
    fflush(stdout);
    code = signals < 0 ? -errno : run(server, signals);
    if (code == 0)
        printf("%" PRIu64 " replies\n", replies);
    close(signals);
    rr_channel_unlink(rr_server_channel(server));
    rr_server_free(server);
    return code;
}

/* ---- a client ---- */

typedef struct call {
    uint64_t id; /* 0: none is under way */
    long number;
} call;

static int start(rr_client *client, call *made, long number)
{
    char text[64];
    int length = snprintf(text, sizeof text, "text %ld of process %ld", number, (long)getpid());
    made->number = number;
    int code = rr_client_send(client, text, (size_t)length, &made->id);
    if (code < 0)
        made->id = 0;
    return code;
}

/* 1 if the reply was there, 0 if not yet. */
static int collect(rr_client *client, call *made)
{
    char text[64], reply[64];
    int length = snprintf(text, sizeof text, "TEXT %ld OF PROCESS %ld", made->number, (long)getpid());
    int64_t got = rr_client_get(client, made->id, reply, sizeof reply);
    if (got == -EAGAIN)
        return 0;
    if (got < 0)
        return (int)got;
    made->id = 0;
    return got == length && memcmp(reply, text, (size_t)length) == 0 ? 1 : -EBADMSG;
}

static int ask(rr_client *client, int epoll, long n)
{
    call calls[AHEAD] = {{0, 0}};
    long sent = 0, collected = 0;
    while (collected < n) {
        int has_moved = 0, is_full = 0;
        for (int k = 0; k < AHEAD; k++) {
            int code = calls[k].id != 0 ? collect(client, &calls[k]) : 0;
            if (code < 0)
                return code;
            collected += code;
            has_moved |= code;
            if (calls[k].id == 0 && sent < n && !is_full) {
                code = start(client, &calls[k], sent);
                is_full = code == -ENOBUFS;
                if (code < 0 && !is_full)
                    return code;
                sent += !is_full;
                has_moved |= !is_full;
            }
        }
        if (has_moved)
            continue;
        int code = rr_client_arm(client, RR_ARM_REPLY | (is_full ? RR_ARM_SLOT : 0));
        if (code == 0)
            code = wait_for_any(epoll, rr_client_channel(client));
        if (code < 0)
            return code;
    }
    return 0;
}

static int run_client(const char *name, long n, rr_error *error)
{
    rr_client *client;
    int code = rr_client_new(name, NULL, &client, error);
    if (code < 0)
        return code;
    const int watched[] = {rr_client_poll_fd(client)};
    int epoll = epoll_of(watched, 1);
    code = epoll < 0 ? epoll : ask(client, epoll, n);
    if (epoll >= 0)
        close(epoll);
    rr_client_free(client);
    if (code == 0)
        printf("%ld texts came back in capitals\n", n);
    return code;
}

int main(int argc, char **argv)
{
    int is_server = argc == 3 && strcmp(argv[1], "server") == 0;
    if (!is_server && (argc != 4 || strcmp(argv[1], "client") != 0)) {
        fprintf(stderr, "usage: %s server NAME\n       %s client NAME N\n", argv[0], argv[0]);
        return 2;
    }
    rr_error error = {0};
    int code = is_server ? run_server(argv[2], &error) : run_client(argv[2], strtol(argv[3], NULL, 10), &error);
    if (code < 0)
        fprintf(stderr, "epoll_server: %s: %s\n", argv[2], error.code < 0 ? error.message : strerror(-code));
    return code < 0 ? 1 : 0;
}
