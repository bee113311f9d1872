/*
 * The process that is killed by tests/kill/ and stopped by tests/stop/: does the acts that its arguments name, on the
 * channel that the first of them names, and stops itself before each act and after the last, with a report of the act
 * that was done. Its tracer reads that, and lets it go on, or not.
 */
#define _GNU_SOURCE

#include "../c/forms.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As in tests/kill/survivors.rs, tests/kill/tracer.rs and tests/kill/cast.rs. */
#define LENGTH 200
#define HEAD 8
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
static rr_buffer loan = RR_BUFFER_INIT;
static rr_view view, views[MANY];
static rr_buffer reply_buffer = RR_BUFFER_INIT;
static int number;
/* The id that the tracer told, if it told one. */
static uint64_t told;
static _Alignas(int64_t) unsigned char request[LENGTH], buffer[LENGTH];

/* What an act came to: what it returned, the request that it was about, and what it received. */
static struct {
    int64_t result;
    uint64_t id;
    const void *data;
    uint64_t length;
} report;

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

static int64_t sending(int64_t result)
{
    report.id = sent[0];
    return result;
}

static int64_t got(const void *data, int64_t length)
{
    report.id = sent[0];
    report.data = data;
    report.length = length < 0 ? 0 : (uint64_t)length;
    return length;
}

static int64_t took(const void *data, uint64_t length, int64_t result)
{
    if (result >= 0) {
        report.id = taken.id;
        report.data = data;
        report.length = length;
    }
    return result;
}

/* Ways in and out. */

static int64_t act_server(void) { return rr_server_new(path, &options, &server, NULL); }
static int64_t act_client(void) { return rr_client_new(path, &options, &client, NULL); }

static int64_t act_leave(void)
{
    rr_client_free(client);
    rr_server_free(server);
    client = NULL;
    server = NULL;
    return 0;
}

/* Calling. */

static int64_t act_send(void)
{
    compose(request, LENGTH);
    return sending(rr_client_send(client, request, LENGTH, next_sent()));
}

static int64_t act_send_wait(void)
{
    compose(request, LENGTH);
    return sending(rr_client_send_wait(client, request, LENGTH, next_sent(), PATIENCE));
}

static int64_t act_send_msg(void)
{
    compose(request, LENGTH);
    const rr_msg msg = msg_of(request, LENGTH, 128, RR_MSG_END_ALIGNED);
    return sending(rr_client_send_msg(client, &msg, next_sent(), within(0)));
}

static int64_t act_req(void)
{
    compose(request, LENGTH);
    return got(buffer, rr_client_req(client, request, LENGTH, buffer, sizeof buffer, PATIENCE));
}

static int64_t act_req_msg(void)
{
    rr_result result = RR_RESULT_INIT;
    compose(request, LENGTH);
    const rr_msg msg = msg_of(request, LENGTH, 128, RR_MSG_END_ALIGNED);
    return got(buffer, rr_client_req_msg(client, &msg, buffer, sizeof buffer, &result, within(PATIENCE)));
}

static int64_t act_post_msg(void)
{
    compose(request, LENGTH);
    const rr_msg msg = msg_of(request, LENGTH, 128, RR_MSG_END_ALIGNED);
    return rr_client_post_msg(client, &msg, within(0));
}

static int64_t act_post(void)
{
    compose(request, LENGTH);
    return rr_client_post(client, request, LENGTH, 0);
}

static int64_t act_get(void) { return got(buffer, rr_client_get(client, sent[0], buffer, sizeof buffer)); }

static int64_t get_within(int64_t timeout)
{
    return got(buffer, rr_client_get_wait(client, sent[0], buffer, sizeof buffer, timeout));
}

static int64_t act_get_msg(void)
{
    rr_result result = RR_RESULT_INIT;
    return got(buffer, rr_client_get_msg(client, sent[0], buffer, sizeof buffer, &result, within(PATIENCE)));
}

static int64_t act_get_wait(void) { return get_within(PATIENCE); }

/* Looks after the request at the end of its time, if not before. */
static int64_t act_get_briefly(void) { return get_within(BRIEFLY); }

static int64_t act_wait_any(void) { return rr_client_wait_any(client, sent, MANY, within(PATIENCE)); }

static int64_t act_done(void)
{
    uint64_t some[MANY];
    memcpy(some, sent, sizeof some);
    return rr_client_done(client, some, MANY);
}

static int64_t act_cancel(void)
{
    report.id = sent[0];
    return rr_client_cancel(client, sent[0]);
}

static int64_t act_detach(void)
{
    report.id = sent[0];
    return rr_client_detach(client, sent[0]);
}

static int64_t act_loan(void) { return rr_client_loan(client, &loan, within(0)); }
static int64_t act_abort(void) { return rr_client_abort(client, &loan); }

static int64_t act_commit(void)
{
    compose(loan.data, LENGTH);
    loan.length = LENGTH;
    return sending(rr_client_commit(client, &loan, next_sent()));
}

static int64_t act_view(void)
{
    int64_t length = rr_client_view(client, sent[0], &view, NULL, within(0));
    return got(view.data, length);
}

static int64_t act_collect(void) { return rr_client_release(client, sent[0]); }

/* Serving. */

static int64_t recv_within(uint64_t capacity, int64_t timeout)
{
    int64_t length = rr_recv_wait(server, buffer, capacity, &taken, timeout);
    return took(buffer, taken.length, length);
}

static int64_t act_recv(void)
{
    int64_t length = rr_recv(server, buffer, sizeof buffer, &taken);
    return took(buffer, taken.length, length);
}

static int64_t act_recv_wait(void) { return recv_within(sizeof buffer, PATIENCE); }

static int64_t act_recv_msg(void)
{
    int64_t length = rr_recv_msg(server, buffer, sizeof buffer, &taken, within(PATIENCE));
    return took(buffer, taken.length, length);
}

/* Has no reply_buffer for the longer ones. */
static int64_t act_recv_short(void) { return recv_within(HEAD, PATIENCE); }

/* Looks after what the dead left at the end of its time, if not before. */
static int64_t act_recv_briefly(void) { return recv_within(sizeof buffer, BRIEFLY); }

static int64_t act_recv_view(void)
{
    int64_t length = rr_recv_view(server, &view, within(0));
    taken.id = view.id;
    return took(view.data, view.length, length);
}

/* Reports how each of them begins. */
static int64_t took_several(int64_t count)
{
    static unsigned char heads[MANY][HEAD];
    for (int64_t k = 0; k < count; k++)
        memcpy(heads[k], views[k].data, HEAD);
    return took(heads, count < 0 ? 0 : (uint64_t)count * HEAD, count);
}

static int64_t act_recv_batch(void) { return took_several(rr_recv_batch(server, views, sizeof(rr_view), MANY, within(0))); }
static int64_t act_drain(void) { return took_several(rr_drain(server, views, sizeof(rr_view), MANY)); }

static int64_t act_reply(void)
{
    report.id = taken.id;
    answer(buffer, buffer, taken.length);
    return rr_reply(server, taken.id, buffer, taken.length);
}

static int64_t act_reply_msg(void)
{
    report.id = taken.id;
    answer(buffer, buffer, taken.length);
    const rr_msg msg = msg_of(buffer, taken.length, 128, RR_MSG_END_ALIGNED);
    return rr_reply_msg(server, taken.id, &msg);
}

static int64_t act_reply_error(void)
{
    report.id = taken.id;
    return rr_reply_error(server, taken.id, 7, "it can't be done");
}

static int64_t act_reply_loan(void)
{
    report.id = taken.id;
    return rr_reply_loan(server, taken.id, &reply_buffer);
}

static int64_t act_reply_commit(void)
{
    report.id = taken.id;
    answer(reply_buffer.data, buffer, taken.length);
    reply_buffer.length = taken.length;
    return rr_reply_commit(server, &reply_buffer);
}

static int64_t act_dismiss(void)
{
    report.id = taken.id;
    return rr_dismiss(server, taken.id);
}

static int64_t act_release(void)
{
    report.id = taken.id;
    return rr_release(server, taken.id);
}

static int64_t act_adopt(void)
{
    taken.id = report.id = told;
    return rr_server_adopt(server, told);
}

static int handle(void *ctx, const rr_view *asked, rr_buffer *reply)
{
    (void)ctx;
    taken.id = asked->id;
    memcpy(buffer, asked->data, asked->length);
    took(buffer, asked->length, 0);
    answer(reply->data, asked->data, asked->length);
    reply->length = asked->length;
    return RR_SERVE_STOP;
}

static int64_t act_serve(void) { return rr_serve(server, handle, NULL, NULL); }

/* Integers. */

static int64_t act_send_i64(void) { return sending(rr_client_send_i64(client, composed_number(), next_sent())); }

static int64_t act_get_i64(void)
{
    int result = rr_client_get_i64(client, sent[0], (int64_t *)(void *)buffer);
    got(buffer, sizeof(int64_t));
    return result;
}

static int64_t act_req_i64(void)
{
    int result = rr_client_req_i64(client, composed_number(), (int64_t *)(void *)buffer, PATIENCE);
    got(buffer, sizeof(int64_t));
    return result;
}

static int64_t act_recv_i64(void)
{
    int result = rr_recv_i64(server, (int64_t *)(void *)buffer, &taken);
    return took(buffer, sizeof(int64_t), result);
}

static int64_t act_get_wait_i64(void)
{
    int result = rr_client_get_wait_i64(client, sent[0], (int64_t *)(void *)buffer, PATIENCE);
    got(buffer, sizeof(int64_t));
    return result;
}

static int64_t act_recv_wait_i64(void)
{
    int result = rr_recv_wait_i64(server, (int64_t *)(void *)buffer, &taken, PATIENCE);
    return took(buffer, sizeof(int64_t), result);
}

static int64_t act_reply_i64(void)
{
    int64_t value;
    report.id = taken.id;
    answer(&value, buffer, sizeof value);
    return rr_reply_i64(server, taken.id, value);
}

/* Administration and notification. */

/* Its tracer sends signals to end a wait, or all. */
static void on_signal(int number_of_signal)
{
    if (number_of_signal == SIGUSR1)
        rr_server_interrupt(server);
    else
        rr_server_stop(server);
}

static rr_channel *channel(void) { return client ? rr_client_channel(client) : rr_server_channel(server); }

static int64_t act_recover(void) { return rr_channel_recover(channel()); }
static int64_t act_clear(void) { return rr_channel_clear(channel()); }
static int64_t act_sync(void) { return rr_channel_sync(channel()); }

static int64_t act_queued(void) { return rr_channel_queued(channel()); }
static int64_t act_is_empty(void) { return rr_channel_is_empty(channel()); }
static int64_t act_servers(void) { return rr_channel_servers(channel()); }
static int64_t act_pending(void) { return rr_client_pending(client); }
static int64_t act_interrupt(void) { return client ? rr_client_interrupt(client) : rr_server_interrupt(server); }
static int64_t act_wake(void) { return client ? rr_client_wake(client) : rr_server_wake(server); }
static int64_t act_stop(void) { return client ? rr_client_stop(client) : rr_server_stop(server); }

static int64_t act_stats(void)
{
    rr_stats stats = RR_STATS_INIT;
    return rr_channel_stats(channel(), &stats);
}

static int64_t act_participants(void)
{
    rr_participant found[MANY];
    return rr_channel_participants(channel(), found, sizeof(rr_participant), MANY);
}

static int64_t act_request_fd(void) { return rr_channel_request_fd_make(channel()); }
static int64_t act_reply_fd(void) { return rr_channel_reply_fd_make(channel()); }
static int64_t act_notify_requests(void) { return rr_channel_notify_requests(channel()); }
static int64_t act_notify_replies(void) { return rr_channel_notify_replies(channel()); }
static int64_t act_consume_replies(void) { return rr_channel_consume_replies(channel()); }
static int64_t act_consume_requests(void) { return rr_channel_consume_requests(channel()); }

static const struct {
    const char *name;
    int64_t (*act)(void);
} acts[] = {
    {"server", act_server},
    {"client", act_client},
    {"leave", act_leave},
    {"send", act_send},
    {"send in vain", act_send},
    {"send_wait", act_send_wait},
    {"send_msg", act_send_msg},
    {"req", act_req},
    {"req_msg", act_req_msg},
    {"post", act_post},
    {"post_msg", act_post_msg},
    {"get", act_get},
    {"wait", act_get_wait},
    {"get_msg", act_get_msg},
    {"wait in vain", act_get_wait},
    {"wait briefly", act_get_briefly},
    {"wait_any", act_wait_any},
    {"done", act_done},
    {"cancel", act_cancel},
    {"detach", act_detach},
    {"loan", act_loan},
    {"commit", act_commit},
    {"abort", act_abort},
    {"view", act_view},
    {"collect", act_collect},
    {"recv", act_recv},
    {"recv_wait", act_recv_wait},
    {"recv_msg", act_recv_msg},
    {"recv short", act_recv_short},
    {"recv briefly", act_recv_briefly},
    {"recv_view", act_recv_view},
    {"recv_batch", act_recv_batch},
    {"reply", act_reply},
    {"drain", act_drain},
    {"reply_msg", act_reply_msg},
    {"reply_error", act_reply_error},
    {"reply in vain", act_reply},
    {"reply_loan", act_reply_loan},
    {"reply_commit", act_reply_commit},
    {"dismiss", act_dismiss},
    {"release", act_release},
    {"adopt", act_adopt},
    {"serve", act_serve},
    {"send_i64", act_send_i64},
    {"get_i64", act_get_i64},
    {"req_i64", act_req_i64},
    {"recv_i64", act_recv_i64},
    {"get_wait_i64", act_get_wait_i64},
    {"recv_wait_i64", act_recv_wait_i64},
    {"reply_i64", act_reply_i64},
    {"recover", act_recover},
    {"clear", act_clear},
    {"sync", act_sync},
    {"stats", act_stats},
    {"participants", act_participants},
    {"request_fd", act_request_fd},
    {"reply_fd", act_reply_fd},
    {"queued", act_queued},
    {"is_empty", act_is_empty},
    {"servers", act_servers},
    {"pending", act_pending},
    {"interrupt", act_interrupt},
    {"wake", act_wake},
    {"stop", act_stop},
    {"notify_replies", act_notify_replies},
    {"consume_replies", act_consume_replies},
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

/* The stop's third argument is the tracer's. */
static void stop(void) { syscall(SYS_kill, getpid(), SIGSTOP, &report); }

int main(int count, char **arguments)
{
    if (count < 3)
        return 2;
    /* Whoever started the tests may have ignored it. */
    signal(SIGALRM, SIG_DFL);
    alarm(WATCHDOG);
    signal(SIGUSR1, on_signal);
    signal(SIGUSR2, on_signal);
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        return NOT_TRACED;
    path = arguments[1];
    options.slots = 4;
    options.participants = 8;
    if (strcmp(arguments[2], "integers") == 0)
        options.kind = RR_KIND_INT;
    else
        options.request_max = options.response_max = LENGTH;
    if (strcmp(arguments[2], "notifying") == 0)
        options.flags = RR_OPT_NOTIFY;
    /* Polling would be the same instructions over and over again. */
    options.spin_ns = -1;
    for (int k = 3; k < count; k++) {
        stop();
        number = k - 3;
        told = report.id;
        memset(&report, 0, sizeof report);
        report.result = act(arguments[k]);
    }
    for (;;)
        stop();
}
