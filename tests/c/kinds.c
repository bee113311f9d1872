/*
 * The two kinds of channel are not mixed up: neither by who attaches, nor by the calls for payloads, which are refused
 * in a channel of the other kind and change nothing in it.
 */
#include "integers.h"

#define BYTES_FOUND "kind: found 0 (bytes), expected 1 (integers)"
#define INT_FOUND "kind: found 1 (integers), expected 0 (bytes)"

static void expect_no_client(int code, rr_client *const *client, const rr_error *error, const char *found)
{
    EXPECT(code, -EPROTO);
    CHECK(*client == NULL);
    EXPECT(error->code, -EPROTO);
    CHECK_CONTAINS(error->message, found);
}

static void expect_no_server(int code, rr_server *const *server, const rr_error *error, const char *found)
{
    EXPECT(code, -EPROTO);
    CHECK(*server == NULL);
    EXPECT(error->code, -EPROTO);
    CHECK_CONTAINS(error->message, found);
}

/* By every way there is. `other` may be NULL, which says bytes. */
static void expect_refused(const char *name, const rr_options *made, const rr_options *other, const char *found)
{
    static char somewhere;
    rr_server *server, *refused = (rr_server *)(void *)&somewhere;
    rr_client *client = (rr_client *)(void *)&somewhere;
    rr_error error;
    EXPECT(rr_server_new(name, made, &server, NULL), 0);
    int fd = rr_channel_fd(rr_server_channel(server));
    expect_no_server(rr_server_new(name, other, &refused, &error), &refused, &error, found);
    CHECK_CONTAINS(error.message, name);
    expect_no_client(rr_client_new(name, other, &client, &error), &client, &error, found);
    CHECK_CONTAINS(error.message, name);
    expect_no_server(rr_server_from_fd(fd, other, &refused, &error), &refused, &error, found);
    expect_no_client(rr_client_from_fd(fd, other, &client, &error), &client, &error, found);
    expect_no_client(rr_client_from_server(server, other, &client, &error), &client, &error, found);

    CHECK(stats_of(rr_server_channel(server)).participants == 1);
    EXPECT(rr_client_new(name, made, &client, &error), 0);
    EXPECT(error.code, 0);
    rr_client_free(client);
    rr_server_free(server);
}

static void attaching_to_a_channel_of_the_other_kind_is_eproto_and_both_kinds_are_named(void)
{
    rr_options bytes = of_kind(RR_KIND_BYTES, 2), integers = of_kind(RR_KIND_INT, 2);
    expect_refused(new_name(), &integers, &bytes, INT_FOUND);
    expect_refused(new_name(), &integers, NULL, INT_FOUND);
    expect_refused(new_name(), &bytes, &integers, BYTES_FOUND);
    expect_refused(new_name(), NULL, &integers, BYTES_FOUND);
}

static void a_channel_of_bytes_says_so(void)
{
    pair channel = open_pair(1);
    EXPECT(rr_channel_kind(rr_server_channel(channel.server)), RR_KIND_BYTES);
    EXPECT(rr_channel_kind(rr_client_channel(channel.client)), RR_KIND_BYTES);
    close_pair(&channel);
}

static int must_not_be_called(void *context, const rr_view *request, rr_buffer *reply)
{
    (void)context, (void)request, (void)reply;
    CHECK(!"called");
    return RR_SERVE_STOP;
}

/* What a channel's statistics say that a refused call could have changed. */
static void expect_same(rr_channel *channel, const rr_stats *before)
{
    rr_stats after = stats_of(channel);
    CHECK(memcmp(&after, before, sizeof after) == 0);
}

static void calls_for_bytes_are_einval_in_a_channel_of_integers_and_change_nothing(void)
{
    pair channel = open_int_pair(4);
    rr_client *client = channel.client;
    rr_server *server = channel.server;
    uint64_t replied = send_number(client, 1), held = send_number(client, 2), queued = send_number(client, 3);
    reply_number(server, take_number(server, 1), 10);
    take_number(server, 2);
    rr_stats before = stats_of(rr_client_channel(client));

    char buffer[16];
    uint64_t id;
    size_t room;
    void *data;
    rr_request request;
    rr_view views[2];
    rr_buffer loan = RR_BUFFER_INIT;
    EXPECT(rr_recv(server, buffer, sizeof buffer, &request), -EINVAL);
    EXPECT(rr_recv_wait(server, buffer, sizeof buffer, &request, FOREVER), -EINVAL);
    EXPECT(rr_recv_view(server, views, NULL), -EINVAL);
    EXPECT(rr_recv_batch(server, views, sizeof(rr_view), 2, NULL), -EINVAL);
    EXPECT(rr_drain(server, views, sizeof(rr_view), 2), -EINVAL);
    EXPECT(rr_serve(server, must_not_be_called, NULL, NULL), -EINVAL);
    EXPECT(rr_reply(server, held, "12345678", 8), -EINVAL);
    EXPECT(loan_reply(server, held, &data, &room), -EINVAL);
    EXPECT(commit_reply(server, held, 8, 0, 0), -EINVAL);
    EXPECT(commit_reply(server, held, 8, 200, RR_MSG_UTF8), -EINVAL);

    EXPECT(rr_client_req(client, "12345678", 8, buffer, sizeof buffer, FOREVER), -EINVAL);
    EXPECT(rr_client_send(client, "12345678", 8, &id), -EINVAL);
    EXPECT(rr_client_send_wait(client, "12345678", 8, &id, FOREVER), -EINVAL);
    EXPECT(rr_client_post(client, "12345678", 8, FOREVER), -EINVAL);
    EXPECT(rr_client_loan(client, &loan, NULL), -EINVAL);
    EXPECT(rr_client_get(client, replied, buffer, sizeof buffer), -EINVAL);
    EXPECT(rr_client_get_wait(client, replied, buffer, sizeof buffer, FOREVER), -EINVAL);
    EXPECT(rr_client_view(client, replied, views, NULL, NULL), -EINVAL);

    expect_same(rr_client_channel(client), &before);
    EXPECT(rr_client_pending(client), 3);
    collect_number(client, replied, 10);
    reply_number(server, held, 20);
    collect_number(client, held, 20);
    reply_number(server, take_number(server, 3), 30);
    collect_number(client, queued, 30);
    close_pair(&channel);
}

/* A message of no length, too. */
static void an_empty_message_is_none_for_a_channel_of_integers(void)
{
    pair channel = open_int_pair(2);
    uint64_t id;
    EXPECT(rr_client_send(channel.client, NULL, 0, &id), -EINVAL);
    EXPECT(rr_client_req(channel.client, NULL, 0, NULL, 0, FOREVER), -EINVAL);
    EXPECT(rr_client_post(channel.client, NULL, 0, FOREVER), -EINVAL);
    uint64_t held = send_number(channel.client, 1);
    take_number(channel.server, 1);
    EXPECT(rr_reply(channel.server, held, NULL, 0), -EINVAL);
    reply_number(channel.server, held, 2);
    collect_number(channel.client, held, 2);
    close_pair(&channel);
}

static void calls_for_integers_are_einval_in_a_channel_of_bytes_and_change_nothing(void)
{
    pair channel = open_pair(4);
    rr_client *client = channel.client;
    rr_server *server = channel.server;
    uint64_t replied = send_text(client, "12345678"), held = send_text(client, "held");
    uint64_t queued = send_text(client, "abcdefgh");
    reply_text(server, take_text(server, "12345678"), "87654321");
    take_text(server, "held");
    rr_stats before = stats_of(rr_client_channel(client));

    uint64_t id;
    int64_t number;
    rr_request request;
    EXPECT(rr_recv_i64(server, &number, &request), -EINVAL);
    EXPECT(rr_recv_wait_i64(server, &number, &request, FOREVER), -EINVAL);
    EXPECT(rr_reply_i64(server, held, 1), -EINVAL);
    EXPECT(rr_client_req_i64(client, 1, &number, FOREVER), -EINVAL);
    EXPECT(rr_client_send_i64(client, 1, &id), -EINVAL);
    EXPECT(rr_client_get_i64(client, replied, &number), -EINVAL);
    EXPECT(rr_client_get_wait_i64(client, replied, &number, FOREVER), -EINVAL);

    expect_same(rr_client_channel(client), &before);
    EXPECT(rr_client_pending(client), 3);
    collect_text(client, replied, "87654321");
    reply_text(server, held, "reply");
    collect_text(client, held, "reply");
    reply_text(server, take_text(server, "abcdefgh"), "reply");
    collect_text(client, queued, "reply");
    close_pair(&channel);
}

/* Eight bytes each way make no channel of integers. */
static void a_channel_of_eight_bytes_is_still_one_of_bytes(void)
{
    rr_options options = of_kind(RR_KIND_BYTES, 2);
    options.request_max = options.response_max = 8;
    rr_server *server;
    rr_client *client;
    int64_t number;
    rr_request request;
    EXPECT(rr_server_new(NULL, &options, &server, NULL), 0);
    EXPECT(rr_client_from_server(server, NULL, &client, NULL), 0);
    EXPECT(rr_channel_kind(rr_client_channel(client)), RR_KIND_BYTES);
    uint64_t id = send_text(client, "12345678");
    EXPECT(rr_recv_i64(server, &number, &request), -EINVAL);
    reply_text(server, take_text(server, "12345678"), "87654321");
    EXPECT(rr_client_get_i64(client, id, &number), -EINVAL);
    collect_text(client, id, "87654321");
    rr_client_free(client);
    rr_server_free(server);
}

int main(void)
{
    RUN(attaching_to_a_channel_of_the_other_kind_is_eproto_and_both_kinds_are_named);
    RUN(a_channel_of_bytes_says_so);
    RUN(calls_for_bytes_are_einval_in_a_channel_of_integers_and_change_nothing);
    RUN(an_empty_message_is_none_for_a_channel_of_integers);
    RUN(calls_for_integers_are_einval_in_a_channel_of_bytes_and_change_nothing);
    RUN(a_channel_of_eight_bytes_is_still_one_of_bytes);
    return 0;
}
