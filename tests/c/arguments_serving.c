/*
 * The serving side: a null pointer in any place is -EINVAL, and nothing happens; an id that names no request which this
 * handle took is -ESTALE, and the requests that there are go on.
 */
#include "integers.h"
#include "untouched.h"

static int never_called(void *context, const rr_view *request, rr_buffer *reply)
{
    (void)context, (void)request, (void)reply;
    CHECK(!"called");
    return RR_SERVE_STOP;
}

static void calls_without_a_handle_say_so_and_store_nothing(void)
{
    char buffer[8] = "unused";
    rr_request request;
    rr_view views[2];
    void *room = buffer;
    size_t length = 12345;
    int64_t number = 12345;
    memset(&request, 0xAA, sizeof request);
    memset(views, 0xAA, sizeof views);
    EXPECT(rr_server_stop(NULL), -EINVAL);
    EXPECT(rr_server_interrupt(NULL), -EINVAL);
    EXPECT(rr_server_wake(NULL), -EINVAL);
    EXPECT(rr_recv(NULL, buffer, sizeof buffer, &request), -EINVAL);
    EXPECT(rr_recv_wait(NULL, buffer, sizeof buffer, &request, FOREVER), -EINVAL);
    EXPECT(rr_recv_view(NULL, views, NULL), -EINVAL);
    EXPECT(rr_recv_batch(NULL, views, sizeof(rr_view), LENGTH(views), NULL), -EINVAL);
    EXPECT(rr_drain(NULL, views, sizeof(rr_view), LENGTH(views)), -EINVAL);
    EXPECT(rr_recv_i64(NULL, &number, &request), -EINVAL);
    EXPECT(rr_recv_wait_i64(NULL, &number, &request, FOREVER), -EINVAL);
    EXPECT(rr_reply(NULL, 1, "", 0), -EINVAL);
    EXPECT(reply_labelled(NULL, 1, "", 0, 0, 0), -EINVAL);
    EXPECT(rr_reply_error(NULL, 1, 1, ""), -EINVAL);
    EXPECT(rr_reply_i64(NULL, 1, 1), -EINVAL);
    EXPECT(loan_reply(NULL, 1, &room, &length), -EINVAL);
    EXPECT(commit_reply(NULL, 1, 0, 0, 0), -EINVAL);
    EXPECT(commit_reply(NULL, 1, 0, 0, 0), -EINVAL);
    EXPECT(rr_dismiss(NULL, 1), -EINVAL);
    EXPECT(rr_serve(NULL, never_called, NULL, NULL), -EINVAL);
    CHECK(rr_server_channel(NULL) == NULL);
    CHECK(room == buffer && length == 12345 && number == 12345 && strcmp(buffer, "unused") == 0);
    const unsigned char *bytes = (const unsigned char *)views;
    for (size_t k = 0; k < sizeof views; k++)
        CHECK(bytes[k] == 0xAA);
    bytes = (const unsigned char *)&request;
    for (size_t k = 0; k < sizeof request; k++)
        CHECK(bytes[k] == 0xAA);
}

static void taking_without_a_buffer_or_a_place_leaves_the_request_queued(void)
{
    pair channel = open_pair(4);
    char buffer[8];
    rr_request request;
    rr_view views[2];
    send_text(channel.client, "asked");
    const image *before = image_of(rr_server_channel(channel.server));
    REFUSED(before, rr_recv(channel.server, NULL, 8, &request));
    REFUSED(before, rr_recv(channel.server, buffer, sizeof buffer, NULL));
    REFUSED(before, rr_recv_wait(channel.server, NULL, 8, &request, FOREVER));
    REFUSED(before, rr_recv_wait(channel.server, buffer, sizeof buffer, NULL, FOREVER));
    REFUSED(before, rr_recv_view(channel.server, NULL, NULL));
    REFUSED(before, rr_recv_batch(channel.server, NULL, sizeof(rr_view), 2, NULL));
    REFUSED(before, rr_recv_batch(channel.server, views, sizeof(rr_view), 0, NULL));
    REFUSED(before, rr_drain(channel.server, NULL, sizeof(rr_view), 2));
    REFUSED(before, rr_drain(channel.server, views, sizeof(rr_view), 0));
    REFUSED(before, rr_serve(channel.server, NULL, NULL, NULL));
    take_text(channel.server, "asked");
    close_pair(&channel);
}

static void replying_without_data_or_a_place_leaves_the_request_to_be_replied_to(void)
{
    pair channel = open_pair(4);
    uint64_t id = send_text(channel.client, "asked"), taken = take_text(channel.server, "asked");
    void *room = NULL;
    size_t length = 12345;
    const image *before = image_of(rr_server_channel(channel.server));
    REFUSED(before, rr_reply(channel.server, taken, NULL, 1));
    REFUSED(before, reply_labelled(channel.server, taken, NULL, 1, 0, 0));
    REFUSED(before, rr_reply_error(channel.server, taken, 1, NULL));
    REFUSED(before, rr_reply_loan(channel.server, taken, NULL));
    /* Nor did either of those lend anything. */
    REFUSED(before, commit_reply(channel.server, taken, 0, 0, 0));
    REFUSED(before, commit_reply(channel.server, taken, 0, 128, 0));
    CHECK(room == NULL && length == 12345);
    reply_text(channel.server, taken, "told");
    collect_text(channel.client, id, "told");
    close_pair(&channel);
}

static void numbers_are_not_taken_without_a_place(void)
{
    pair channel = open_int_pair(4);
    rr_request request;
    int64_t number;
    send_number(channel.client, 7);
    const image *before = image_of(rr_server_channel(channel.server));
    REFUSED(before, rr_recv_i64(channel.server, NULL, &request));
    REFUSED(before, rr_recv_i64(channel.server, &number, NULL));
    REFUSED(before, rr_recv_wait_i64(channel.server, NULL, &request, FOREVER));
    REFUSED(before, rr_recv_wait_i64(channel.server, &number, NULL, FOREVER));
    take_number(channel.server, 7);
    close_pair(&channel);
}

static void impossible_lengths_are_too_long(void)
{
    pair channel = open_pair(1);
    uint64_t id = send_text(channel.client, "asked"), taken = take_text(channel.server, "asked");
    void *room = NULL;
    size_t capacity;
    EXPECT(loan_reply(channel.server, taken, &room, &capacity), 0);
    const size_t lengths[] = {4097, UINT32_MAX, SIZE_MAX / 2 + 1, SIZE_MAX};
    for (size_t k = 0; k < LENGTH(lengths); k++) {
        static const char byte = 0;
        EXPECT(rr_reply(channel.server, taken, &byte, lengths[k]), -EMSGSIZE);
        EXPECT(reply_labelled(channel.server, taken, &byte, lengths[k], 0, 0), -EMSGSIZE);
        EXPECT(commit_reply(channel.server, taken, lengths[k], 0, 0), -EMSGSIZE);
        EXPECT(commit_reply(channel.server, taken, lengths[k], 0, RR_MSG_END_ALIGNED), -EMSGSIZE);
    }
    reply_text(channel.server, taken, "told");
    collect_text(channel.client, id, "told");
    close_pair(&channel);
}

static void expect_stale(rr_server *server, uint64_t id)
{
    void *room = NULL;
    size_t length;
    EXPECT(rr_reply(server, id, "", 0), -ESTALE);
    EXPECT(reply_labelled(server, id, "", 0, 128, 0), -ESTALE);
    EXPECT(rr_reply_error(server, id, 1, ""), -ESTALE);
    EXPECT(loan_reply(server, id, &room, &length), -ESTALE);
    EXPECT(commit_reply(server, id, 0, 0, 0), -ESTALE);
    EXPECT(commit_reply(server, id, 0, 128, 0), -ESTALE);
    EXPECT(rr_dismiss(server, id), -ESTALE);
}

static void expect_stale_of_integers(rr_server *server, uint64_t id)
{
    EXPECT(rr_reply_i64(server, id, 1), -ESTALE);
    EXPECT(rr_reply_error(server, id, 1, ""), -ESTALE);
    EXPECT(rr_dismiss(server, id), -ESTALE);
}

/* Nobody's; beyond the channel's slots; of another generation; not an id at all. */
#define STRANGE(taken) \
    {0, 1, 6, 65535, 65536, 65536 + 6, (taken) + 65536, (taken) | 0xFFFF, INT64_MAX, UINT64_MAX - 65535, UINT64_MAX}

static void ids_that_were_never_given_out_are_stale(void)
{
    pair channel = open_pair(2);
    uint64_t held = send_text(channel.client, "asked"), taken = take_text(channel.server, "asked");
    CHECK(held == taken);
    const uint64_t ids[] = STRANGE(taken);
    for (size_t k = 0; k < LENGTH(ids); k++)
        if (ids[k] != taken)
            expect_stale(channel.server, ids[k]);
    reply_text(channel.server, taken, "told");
    expect_stale(channel.server, taken);
    collect_text(channel.client, held, "told");
    expect_stale(channel.server, taken);
    close_pair(&channel);
}

static void so_are_they_in_a_channel_of_integers(void)
{
    pair channel = open_int_pair(2);
    send_number(channel.client, 7);
    uint64_t taken = take_number(channel.server, 7);
    const uint64_t ids[] = STRANGE(taken);
    for (size_t k = 0; k < LENGTH(ids); k++)
        if (ids[k] != taken)
            expect_stale_of_integers(channel.server, ids[k]);
    reply_number(channel.server, taken, 70);
    expect_stale_of_integers(channel.server, taken);
    close_pair(&channel);
}

static void requests_that_are_queued_lent_or_anothers_are_stale(void)
{
    pair channel = open_pair(4);
    rr_server *other;
    EXPECT(rr_server_from_fd(rr_channel_fd(rr_server_channel(channel.server)), NULL, &other, NULL), 0);
    uint64_t held = send_text(channel.client, "held"), taken = take_text(channel.server, "held");
    uint64_t queued = send_text(channel.client, "queued");
    rr_buffer loan = RR_BUFFER_INIT;
    EXPECT(rr_client_loan(channel.client, &loan, within(0)), 0);
    expect_stale(other, taken);
    const uint64_t ids[] = {queued, loan.id};
    for (size_t k = 0; k < LENGTH(ids); k++) {
        expect_stale(channel.server, ids[k]);
        expect_stale(other, ids[k]);
    }
    EXPECT(rr_client_abort(channel.client, &loan), 0);
    reply_text(channel.server, taken, "told");
    collect_text(channel.client, held, "told");
    reply_text(other, take_text(other, "queued"), "told");
    collect_text(channel.client, queued, "told");
    rr_server_free(other);
    close_pair(&channel);
}

int main(void)
{
    RUN(calls_without_a_handle_say_so_and_store_nothing);
    RUN(taking_without_a_buffer_or_a_place_leaves_the_request_queued);
    RUN(replying_without_data_or_a_place_leaves_the_request_to_be_replied_to);
    RUN(numbers_are_not_taken_without_a_place);
    RUN(impossible_lengths_are_too_long);
    RUN(ids_that_were_never_given_out_are_stale);
    RUN(so_are_they_in_a_channel_of_integers);
    RUN(requests_that_are_queued_lent_or_anothers_are_stale);
    return 0;
}
