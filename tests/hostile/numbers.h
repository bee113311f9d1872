/* A victim that calls and serves in a channel of integers. */
#ifndef SHMRR_HOSTILE_NUMBERS_H
#define SHMRR_HOSTILE_NUMBERS_H

#include "common.h"

static inline void number_client_step(rr_client *client)
{
    int64_t value;
    uint64_t *id = next_id();
    switch (below(10)) {
    case 0:
    case 1:
        WATCH(rr_client_req_i64, TIMEOUT, client, (int64_t)below(UINT64_MAX), &value, some_timeout());
        break;
    case 2:
    case 3:
        WATCH(rr_client_send_i64, AT_ONCE, client, (int64_t)below(UINT64_MAX), id);
        break;
    case 4:
        WATCH(rr_client_get_i64, AT_ONCE, client, some_id(), &value);
        break;
    case 5:
        WATCH(rr_client_get_wait_i64, TIMEOUT, client, some_id(), &value, some_timeout());
        break;
    case 6:
        WATCH(rr_client_wait_any, TIMEOUT, client, ids, IDS, within(some_timeout()));
        break;
    case 7:
        WATCH(rr_client_cancel, AT_ONCE, client, some_id());
        break;
    case 8:
        WATCH(rr_client_release, AT_ONCE, client, some_id());
        break;
    default:
        ask_channel(rr_client_channel(client));
        break;
    }
}

static inline void number_server_step(rr_server *server)
{
    int64_t value;
    rr_request request;
    int64_t result;
    switch (below(8)) {
    case 0:
    case 1:
    case 2:
        result = below(2) ? WATCH(rr_recv_i64, AT_ONCE, server, &value, &request)
                          : WATCH(rr_recv_wait_i64, TIMEOUT, server, &value, &request, some_timeout());
        if (result == 0) {
            CHECK(request.length == sizeof value && request.redeliveries <= 15);
            *next_id() = request.id;
        }
        break;
    case 3:
    case 4:
        WATCH(rr_reply_i64, AT_ONCE, server, some_id(), (int64_t)below(UINT64_MAX));
        break;
    case 5:
        WATCH(rr_reply_error, AT_ONCE, server, some_id(), 7, "seven");
        break;
    case 6:
        WATCH(rr_dismiss, AT_ONCE, server, some_id());
        break;
    default:
        ask_channel(rr_server_channel(server));
        break;
    }
}

static int never_called(void *ctx, const rr_view *request, rr_buffer *reply)
{
    (void)ctx, (void)request, (void)reply;
    CHECK(0);
    return 0;
}

/* What is for bytes is refused here, whatever the memory says. */
static inline void try_bytes(rr_client *client, rr_server *server)
{
    char bytes[8] = {0};
    uint64_t id;
    rr_buffer loan = RR_BUFFER_INIT;
    rr_view view;
    rr_request request;
    CHECK(WATCH(rr_client_req, TIMEOUT, client, bytes, 8, bytes, 8, TIMEOUT) == -EINVAL);
    CHECK(WATCH(rr_client_send, AT_ONCE, client, bytes, 8, &id) == -EINVAL);
    CHECK(WATCH(rr_client_post, TIMEOUT, client, bytes, 8, TIMEOUT) == -EINVAL);
    CHECK(WATCH(rr_client_get, AT_ONCE, client, some_id(), bytes, 8) == -EINVAL);
    CHECK(WATCH(rr_client_loan, TIMEOUT, client, &loan, within(TIMEOUT)) == -EINVAL);
    CHECK(WATCH(rr_client_view, TIMEOUT, client, some_id(), &view, NULL, within(TIMEOUT)) == -EINVAL);
    CHECK(WATCH(rr_recv, AT_ONCE, server, bytes, 8, &request) == -EINVAL);
    CHECK(WATCH(rr_recv_view, TIMEOUT, server, &view, within(TIMEOUT)) == -EINVAL);
    CHECK(WATCH(rr_drain, AT_ONCE, server, &view, sizeof(rr_view), 1) == -EINVAL);
    CHECK(WATCH(rr_reply, AT_ONCE, server, some_id(), bytes, 8) == -EINVAL);
    CHECK(WATCH(rr_reply_loan, AT_ONCE, server, some_id(), &loan) == -EINVAL);
    CHECK(WATCH(rr_serve, AT_ONCE, server, never_called, NULL, NULL) == -EINVAL);
}

static inline void be_number(void)
{
    rr_options options = some_options(RR_KIND_INT);
    rr_client *client = NULL;
    rr_server *server = NULL;
    EXPECT(rr_client_new(channel, &options, &client, NULL), 0);
    EXPECT(rr_server_new(channel, &options, &server, NULL), 0);
    learn(rr_client_channel(client));
    begin();
    while (goes_on()) {
        if (below(64) == 0)
            try_bytes(client, server);
        if (below(2))
            number_client_step(client);
        else
            number_server_step(server);
        if (below(LIFE) > 0)
            continue;
        WATCH_VOID(rr_client_free, AT_ONCE, client);
        WATCH_VOID(rr_server_free, AT_ONCE, server);
        client = NULL;
        server = NULL;
        while (!client && goes_on())
            WATCH(rr_client_new, AT_ONCE, channel, &options, &client, NULL);
        while (!server && goes_on())
            WATCH(rr_server_new, AT_ONCE, channel, &options, &server, NULL);
        if (!client || !server)
            break;
    }
    rr_client_free(client);
    rr_server_free(server);
}

#endif
