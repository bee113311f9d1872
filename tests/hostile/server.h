/* A victim that serves. */
#ifndef SHMRR_HOSTILE_SERVER_H
#define SHMRR_HOSTILE_SERVER_H

#include "common.h"

#include <signal.h>
#include <sys/time.h>

#define VIEWS 8
/* Requests after which a handler ends its loop for certain. */
#define SERVED_MAX 32

static inline void receive_one(rr_server *server)
{
    size_t capacity = some_length(request_max);
    void *buffer = last(&incoming, capacity);
    rr_request request = {0, 0, 0, 0, 0, 0, {0, 0}};
    int64_t result;
    switch (below(4)) {
    case 0:
        result = WATCH(rr_recv, AT_ONCE, server, buffer, capacity, &request);
        break;
    case 1:
        result = WATCH(rr_recv_msg, TIMEOUT, server, buffer, capacity, &request, within(some_timeout()));
        break;
    default:
        result = WATCH(rr_recv_wait, TIMEOUT, server, buffer, capacity, &request, some_timeout());
        break;
    }
    received(result, capacity);
    if (result >= 0) {
        CHECK(request.length == (uint64_t)result && request.redeliveries <= 15);
        *next_id() = request.id;
    }
    if (result == -EOVERFLOW)
        CHECK(request.length > capacity && request.length <= request_max);
}

static inline void receive_in_place(rr_server *server)
{
    rr_view views[VIEWS];
    size_t most = 1 + below(VIEWS);
    int64_t count;
    switch (below(3)) {
    case 0: {
        int64_t length = WATCH(rr_recv_view, TIMEOUT, server, views, within(some_timeout()));
        CHECK(length < 0 || views[0].length == (size_t)length);
        count = length < 0 ? length : 1;
        break;
    }
    case 1:
        count = WATCH(rr_recv_batch, TIMEOUT, server, views, sizeof(rr_view), most, within(some_timeout()));
        break;
    default:
        count = WATCH(rr_drain, AT_ONCE, server, views, sizeof(rr_view), most);
        break;
    }
    CHECK(count != 0 && count <= (int64_t)most);
    for (int64_t at = 0; at < count; at++) {
        read_request(&views[at]);
        *next_id() = views[at].id;
    }
}

static inline void reply_with_copy(rr_server *server)
{
    size_t length = some_length(response_max + 1);
    void *data = last(&outgoing, length);
    if (below(2)) {
        WATCH(rr_reply, AT_ONCE, server, some_id(), data, length);
    } else {
        const rr_msg msg = some_msg(data, length);
        WATCH(rr_reply_msg, AT_ONCE, server, some_id(), &msg);
    }
}

static inline void reply_in_place(rr_server *server)
{
    rr_buffer buffer = RR_BUFFER_INIT;
    if (WATCH(rr_reply_loan, AT_ONCE, server, some_id(), &buffer) == 0)
        write_all(buffer.data, buffer.capacity, response_max);
    else if (below(2))
        return;
    if (!buffer.data)
        buffer.id = some_id();
    buffer.length = some_length(response_max + 1);
    if (below(2)) {
        buffer.msg_type = some_type();
        buffer.flags = some_flags();
    }
    WATCH(rr_reply_commit, AT_ONCE, server, &buffer);
}

static inline void reply_with_error(rr_server *server)
{
    size_t length = below(TEXT_MAX);
    char *text = (char *)last(&outgoing, length + 1);
    text[length] = '\0';
    WATCH(rr_reply_error, AT_ONCE, server, some_id(), (int)below(1 << 20), text);
    check_and_restore(&outgoing, length + 1);
}

/* ---- a handler ---- */

static rr_server *serving;
static volatile sig_atomic_t was_stopped;
static int served;

static void stop_serving(int number)
{
    (void)number;
    rr_server_stop(serving);
    was_stopped = 1;
}

static int handle(void *ctx, const rr_view *request, rr_buffer *reply)
{
    CHECK(ctx == &served && reply->length == 0);
    read_request(request);
    *next_id() = request->id;
    write_all(reply->data, reply->capacity, response_max);
    reply->length = some_length(response_max + 1);
    reply->msg_type = below(4) ? 0 : some_type();
    reply->flags = below(4) ? 0 : some_flags();
    if (++served >= SERVED_MAX)
        return RR_SERVE_STOP;
    switch (below(6)) {
    case 0:
        return RR_SERVE_STOP;
    case 1:
        return RR_SERVE_STOP | RR_SERVE_LATER;
    case 2:
        return RR_SERVE_LATER;
    case 3:
        return -(int)below(1 << 20) - 1;
    case 4:
        return (int)below(16);
    default:
        return RR_SERVE_CONTINUE;
    }
}

static inline void set_alarm(int64_t nanoseconds)
{
    struct itimerval alarm;
    memset(&alarm, 0, sizeof alarm);
    alarm.it_value.tv_usec = (suseconds_t)(nanoseconds / 1000);
    CHECK(setitimer(ITIMER_REAL, &alarm, NULL) == 0);
}

/* Serves until a handler ends it, or a signal after a while does. */
static inline void serve_some(rr_server *server)
{
    serving = server;
    served = 0;
    set_alarm(TIMEOUT);
    int64_t result = WATCH(rr_serve, TIMEOUT, server, handle, &served, NULL);
    set_alarm(0);
    CHECK(result != -ESHUTDOWN || was_stopped);
}

/* As an event loop does. */
static inline void arm_server(rr_server *server)
{
    CHECK(WATCH(rr_server_poll_fd, AT_ONCE, server) > 2);
    WATCH(rr_server_arm, AT_ONCE, server);
    WATCH(rr_server_wait, TIMEOUT, server, within(some_timeout()));
}

/* In a channel of bytes. */
static inline void serve_numbers(rr_server *server)
{
    int64_t value;
    rr_request request;
    CHECK(WATCH(rr_recv_i64, AT_ONCE, server, &value, &request) == -EINVAL);
    CHECK(WATCH(rr_recv_wait_i64, TIMEOUT, server, &value, &request, TIMEOUT) == -EINVAL);
    CHECK(WATCH(rr_reply_i64, AT_ONCE, server, some_id(), 1) == -EINVAL);
}

static inline void server_step(rr_server *server)
{
    switch (below(16)) {
    case 0:
    case 1:
    case 2:
        receive_one(server);
        break;
    case 3:
    case 4:
    case 5:
        receive_in_place(server);
        break;
    case 6:
    case 7:
        reply_with_copy(server);
        break;
    case 8:
    case 9:
        reply_in_place(server);
        break;
    case 10:
        reply_with_error(server);
        break;
    case 11:
        if (below(2))
            WATCH(rr_dismiss, AT_ONCE, server, some_id());
        else if (below(2))
            WATCH(rr_release, AT_ONCE, server, some_id());
        else
            WATCH(rr_server_adopt, AT_ONCE, server, some_id());
        break;
    case 12:
        /* Seldom: it mostly costs the handle. */
        if (below(4) == 0)
            serve_some(server);
        break;
    case 13:
        if (below(4) == 0)
            serve_numbers(server);
        else
            arm_server(server);
        break;
    default:
        if (below(8) == 0)
            CHECK(WATCH(rr_server_interrupt, AT_ONCE, server) == 0);
        if (below(4) == 0)
            CHECK(WATCH(rr_server_wake, AT_ONCE, server) == 0);
        ask_channel(rr_server_channel(server));
        break;
    }
}

static inline void be_server(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = stop_serving;
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    rr_server *server = NULL;
    for (;;) {
        EXPECT(rr_server_new(channel, NULL, &server, NULL), 0);
        extent where = mapping_of(rr_channel_fd(rr_server_channel(server)));
        if (lies_alone(where))
            break;
        rr_server_free(server);
        spoil(where);
    }
    learn(rr_server_channel(server));
    outgoing = new_guarded(response_max + TEXT_MAX);
    incoming = new_guarded(request_max);
    begin();
    while (goes_on()) {
        server_step(server);
        if (!was_stopped && below(LIFE) > 0)
            continue;
        WATCH_VOID(rr_server_free, AT_ONCE, server);
        was_stopped = 0;
        rr_options options = some_options(RR_KIND_BYTES);
        while (WATCH(rr_server_new, AT_ONCE, channel, &options, &server, NULL) != 0 && goes_on())
            continue;
        if (!server)
            return;
        learn(rr_server_channel(server));
    }
    CHECK(WATCH(rr_server_stop, AT_ONCE, server) == 0);
    rr_request request;
    EXPECT(WATCH(rr_recv_wait, AT_ONCE, server, NULL, 0, &request, TIMEOUT), -ESHUTDOWN);
    rr_server_free(server);
}

#endif
