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
#define BRIEFLY INT64_C(1000000)
#define MANY 8

static const char *path;
static rr_options options = RR_OPTIONS_INIT;
static rr_server *server;
static rr_client *client;
/* Requests that were sent, the newest first. */
static uint64_t sent[MANY];
static rr_request taken;
static rr_loan loan;
static rr_view view, views[MANY];
static void *room;
static int number;
static unsigned char request[LENGTH], buffer[LENGTH];

/* A request says who sent it and by which of his acts. */
static void compose(void *to, int length)
{
    unsigned char *bytes = to;
    int pid = getpid();
    for (int k = 0; k < length; k++)
        bytes[k] = (unsigned char)(7 * k + number);
    bytes[0] = (unsigned char)number;
    memcpy(bytes + 1, &pid, sizeof pid);
}

static int64_t composed_number(void)
{
    int64_t value;
    compose(&value, sizeof value);
    return value;
}

static uint64_t *next_sent(void)
{
    memmove(sent + 1, sent, sizeof sent - sizeof *sent);
    sent[0] = 0;
    return sent;
}

static void answer(void *to, const void *from, uint64_t length)
{
    unsigned char *out = to;
    const unsigned char *in = from;
    for (uint64_t k = 0; k < length; k++)
        out[k] = in[k] ^ ANSWER;
}

static int64_t expect(int64_t found, int64_t expected)
{
    return found == expected ? 0 : -EINVAL;
}

/* Ways in and out. */

static int64_t act_server(void) { return rr_server_new(path, &options, &server, NULL); }
static int64_t act_client(void) { return rr_client_new(path, &options, &client, NULL); }

static int64_t act_leave(void)
{
    rr_client_free(client);
    rr_server_free(server);
    return 0;
}

/* Calling. */

static int64_t act_send(void)
{
    compose(request, LENGTH);
    return rr_client_send(client, request, LENGTH, next_sent());
}

static int64_t act_send_in_vain(void)
{
    return expect(rr_client_send(client, request, LENGTH, next_sent()), -ENOBUFS);
}

static int64_t act_req(void)
{
    compose(request, LENGTH);
    return rr_client_req(client, request, LENGTH, buffer, sizeof buffer, PATIENCE);
}

static int64_t act_post(void)
{
    compose(request, LENGTH);
    return rr_client_post(client, request, LENGTH, 0);
}

static int64_t act_get(void) { return rr_client_get(client, sent[0], buffer, sizeof buffer); }

static int64_t act_wait_in_vain(void)
{
    return expect(rr_client_get_wait(client, sent[0], buffer, sizeof buffer, PATIENCE), -EOWNERDEAD);
}

/* Looks after the request at the end of its time, if not before. */
static int64_t act_wait_briefly(void)
{
    return expect(rr_client_get_wait(client, sent[0], buffer, sizeof buffer, BRIEFLY), -ETIMEDOUT);
}

static int64_t act_wait_any(void) { return rr_client_wait_any(client, sent, MANY, PATIENCE); }
static int64_t act_cancel(void) { return rr_client_cancel(client, sent[0]); }

static int64_t act_loan(void) { return rr_client_loan(client, &loan, 0); }
static int64_t act_abort(void) { return rr_client_abort(client, &loan); }

static int64_t act_commit(void)
{
    compose(loan.data, LENGTH);
    return rr_client_commit(client, &loan, LENGTH, next_sent());
}

static int64_t act_view(void) { return rr_client_view(client, sent[0], &view, 0); }
static int64_t act_collect(void) { return rr_client_release(client, sent[0]); }

/* Serving. */

static int64_t act_recv(void) { return rr_recv(server, buffer, sizeof buffer, &taken); }
static int64_t act_recv_wait(void) { return rr_recv_wait(server, buffer, sizeof buffer, &taken, PATIENCE); }

/* Looks after what the dead left at the end of its time, if not before. */
static int64_t act_recv_briefly(void) { return rr_recv_wait(server, buffer, sizeof buffer, &taken, BRIEFLY); }

static int64_t act_recv_view(void)
{
    int64_t length = rr_recv_view(server, &view, 0);
    taken.id = view.id;
    return length;
}

static int64_t act_recv_batch(void) { return rr_recv_batch(server, views, MANY, 0); }

static int64_t act_reply(void)
{
    answer(buffer, buffer, taken.length);
    return rr_reply(server, taken.id, buffer, taken.length);
}

static int64_t act_reply_in_vain(void) { return expect(act_reply(), -ESTALE); }

static int64_t act_reply_loan(void)
{
    size_t capacity;
    return rr_reply_loan(server, taken.id, &room, &capacity);
}

static int64_t act_reply_commit(void)
{
    answer(room, buffer, taken.length);
    return rr_reply_commit(server, taken.id, taken.length);
}

static int64_t act_release(void) { return rr_release(server, taken.id); }

static int handle(void *ctx, const rr_view *asked, rr_response *response)
{
    (void)ctx;
    answer(response->data, asked->data, asked->length);
    response->length = asked->length;
    return RR_SERVE_STOP;
}

static int64_t act_serve(void) { return rr_serve(server, handle, NULL); }

/* Integers. */

static int64_t act_send_i64(void) { return rr_client_send_i64(client, composed_number(), next_sent()); }

static int64_t act_get_i64(void)
{
    int64_t reply;
    return rr_client_get_i64(client, sent[0], &reply);
}

static int64_t act_req_i64(void)
{
    int64_t reply;
    return rr_client_req_i64(client, composed_number(), &reply, PATIENCE);
}

static int64_t act_recv_i64(void)
{
    int64_t value;
    int result = rr_recv_i64(server, &value, &taken);
    memcpy(buffer, &value, sizeof value);
    return result;
}

static int64_t act_reply_i64(void)
{
    int64_t value;
    answer(&value, buffer, sizeof value);
    return rr_reply_i64(server, taken.id, value);
}

/* Administration and notification. */

static const rr_channel *channel(void) { return client ? rr_client_channel(client) : rr_server_channel(server); }

static int64_t act_recover(void) { return rr_channel_recover(channel()); }
static int64_t act_clear(void) { return rr_channel_clear(channel()); }
static int64_t act_sync(void) { return rr_channel_sync(channel()); }

static int64_t act_stats(void)
{
    rr_stats stats = RR_STATS_INIT;
    return rr_channel_stats(channel(), &stats);
}

static int64_t act_participants(void)
{
    rr_participant found[MANY];
    return rr_channel_participants(channel(), found, MANY);
}

static int64_t act_request_fd(void) { return rr_channel_request_fd(channel()); }
static int64_t act_reply_fd(void) { return rr_channel_reply_fd(channel()); }
static int64_t act_notify_requests(void) { return rr_channel_notify_requests(channel()); }
static int64_t act_consume_requests(void) { return expect(rr_channel_consume_requests(channel()), 1); }

static const struct {
    const char *name;
    int64_t (*act)(void);
} acts[] = {
    {"server", act_server},
    {"client", act_client},
    {"leave", act_leave},
    {"send", act_send},
    {"send in vain", act_send_in_vain},
    {"req", act_req},
    {"post", act_post},
    {"get", act_get},
    {"wait in vain", act_wait_in_vain},
    {"wait briefly", act_wait_briefly},
    {"wait_any", act_wait_any},
    {"cancel", act_cancel},
    {"loan", act_loan},
    {"commit", act_commit},
    {"abort", act_abort},
    {"view", act_view},
    {"collect", act_collect},
    {"recv", act_recv},
    {"recv_wait", act_recv_wait},
    {"recv briefly", act_recv_briefly},
    {"recv_view", act_recv_view},
    {"recv_batch", act_recv_batch},
    {"reply", act_reply},
    {"reply in vain", act_reply_in_vain},
    {"reply_loan", act_reply_loan},
    {"reply_commit", act_reply_commit},
    {"release", act_release},
    {"serve", act_serve},
    {"send_i64", act_send_i64},
    {"get_i64", act_get_i64},
    {"req_i64", act_req_i64},
    {"recv_i64", act_recv_i64},
    {"reply_i64", act_reply_i64},
    {"recover", act_recover},
    {"clear", act_clear},
    {"sync", act_sync},
    {"stats", act_stats},
    {"participants", act_participants},
    {"request_fd", act_request_fd},
    {"reply_fd", act_reply_fd},
    {"notify_requests", act_notify_requests},
    {"consume_requests", act_consume_requests},
};

static int64_t act(const char *name)
{
    for (size_t k = 0; k < sizeof acts / sizeof *acts; k++)
        if (strcmp(name, acts[k].name) == 0)
            return acts[k].act();
    return -ENOSYS;
}

int main(int count, char **arguments)
{
    if (count < 3)
        return 2;
    /* Whoever started the tests may have ignored it. */
    signal(SIGALRM, SIG_DFL);
    alarm(WATCHDOG);
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        return NOT_TRACED;
    path = arguments[1];
    options.slots = 4;
    options.participants = 8;
    if (strcmp(arguments[2], "integers") == 0)
        options.kind = RR_INT;
    else
        options.request_max = options.response_max = LENGTH;
    if (strcmp(arguments[2], "notifying") == 0)
        options.flags = RR_NOTIFY;
    /* Polling would be the same instructions over and over again. */
    options.spin_ns = -1;
    for (int k = 3; k < count; k++) {
        raise(SIGSTOP);
        number = k - 3;
        int64_t result = act(arguments[k]);
        if (result < 0) {
            fprintf(stderr, "victim: %s: %" PRId64 ": %s\n", arguments[k], result, rr_strerror((int)result));
            return 1;
        }
    }
    for (;;)
        raise(SIGSTOP);
}
