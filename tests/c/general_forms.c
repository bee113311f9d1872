/*
 * The general forms: a message goes out with its type and flags, and a result tells what came back, in channels of
 * either kind.
 */
#include "fixture.h"

#define TYPE_THERE 1000
#define TYPE_BACK 2000

static pair open_kind(uint32_t kind)
{
    pair opened = {NULL, NULL};
    rr_options options = with_slots(2);
    options.kind = kind;
    EXPECT(rr_server_new(NULL, &options, &opened.server, NULL), 0);
    EXPECT(rr_client_from_server(opened.server, &options, &opened.client, NULL), 0);
    return opened;
}

/* Takes what asks, and answers it; both have a type and flags, and are as long. */
static uint64_t serve_one(rr_server *server, const void *asks, const void *answers, size_t length)
{
    char buffer[64];
    rr_request request;
    EXPECT(rr_recv_msg(server, buffer, sizeof buffer, &request, NULL), length);
    CHECK(memcmp(buffer, asks, length) == 0 && request.length == length);
    CHECK(request.msg_type == TYPE_THERE && request.flags == RR_MSG_UTF8);
    EXPECT(reply_labelled(server, request.id, answers, length, TYPE_BACK, RR_MSG_END_ALIGNED), 0);
    return request.id;
}

static void expect_answer(const rr_result *result, size_t length)
{
    CHECK(result->length == length && result->msg_type == TYPE_BACK && result->flags == RR_MSG_END_ALIGNED);
    CHECK(result->code == 0 && result->text_length == 0);
}

static void types_and_flags_reach_who_collects_as_they_reach_who_looks(void)
{
    pair channel = open_pair(2);
    for (int looks = 0; looks < 2; looks++) {
        uint64_t id;
        char buffer[16];
        rr_view view;
        rr_result result = RR_RESULT_INIT;
        EXPECT(send_labelled(channel.client, "asks", 4, TYPE_THERE, RR_MSG_UTF8, &id, 0), 0);
        EXPECT(rr_client_get_msg(channel.client, id, buffer, sizeof buffer, &result, within(0)), -EAGAIN);
        CHECK(result.id == id && result.length == 0);
        CHECK(serve_one(channel.server, "asks", "told", 4) == id);
        if (looks) {
            EXPECT(rr_client_view(channel.client, id, &view, &result, NULL), 4);
            CHECK(view.msg_type == TYPE_BACK && view.flags == RR_MSG_END_ALIGNED && result.id == id);
            EXPECT(rr_client_release(channel.client, id), 0);
        } else {
            EXPECT(rr_client_get_msg(channel.client, id, buffer, sizeof buffer, &result, NULL), 4);
            CHECK(memcmp(buffer, "told", 4) == 0 && result.id == 0);
        }
        expect_answer(&result, 4);
    }
    close_pair(&channel);
}

static void *serve_in_thread(void *server)
{
    serve_one((rr_server *)server, "a question that is long", "a reply, which is long!", 23);
    return NULL;
}

/* The request is executed once, and what it came to can still be had. */
static void a_reply_that_does_not_fit_stays_for_its_id(void)
{
    pair channel = open_pair(2);
    pthread_t thread;
    char buffer[32];
    rr_result result = RR_RESULT_INIT;
    const rr_msg msg = msg_of("a question that is long", 23, TYPE_THERE, RR_MSG_UTF8);
    CHECK(pthread_create(&thread, NULL, serve_in_thread, channel.server) == 0);
    EXPECT(rr_client_req_msg(channel.client, &msg, buffer, 22, &result, NULL), -EOVERFLOW);
    CHECK(pthread_join(thread, NULL) == 0);
    expect_answer(&result, 23);
    uint64_t id = result.id;
    CHECK(id != 0);
    EXPECT(rr_client_pending(channel.client), 1);
    EXPECT(rr_client_get_msg(channel.client, id, buffer, 22, &result, NULL), -EOVERFLOW);
    expect_answer(&result, 23);
    CHECK(result.id == id);
    EXPECT(rr_client_get_msg(channel.client, id, NULL, 0, NULL, NULL), -EOVERFLOW);
    EXPECT(rr_client_get_msg(channel.client, id, buffer, 23, &result, NULL), 23);
    CHECK(memcmp(buffer, "a reply, which is long!", 23) == 0 && result.id == 0);
    EXPECT(rr_client_pending(channel.client), 0);

    /* Nobody could tell of it. */
    CHECK(pthread_create(&thread, NULL, serve_in_thread, channel.server) == 0);
    EXPECT(rr_client_req_msg(channel.client, &msg, buffer, 22, NULL, NULL), -EOVERFLOW);
    CHECK(pthread_join(thread, NULL) == 0);
    EXPECT(rr_client_pending(channel.client), 0);
    close_pair(&channel);
}

static void what_a_whole_request_did_not_get_is_withdrawn(void)
{
    pair channel = open_pair(2);
    char buffer[8];
    rr_result result = RR_RESULT_INIT;
    result.id = 77;
    const rr_msg msg = msg_of("asked", 5, 0, 0);
    EXPECT(rr_client_req_msg(channel.client, &msg, buffer, sizeof buffer, &result, within(MS)), -ETIMEDOUT);
    CHECK(result.id == 0);
    EXPECT(rr_client_pending(channel.client), 0);
    expect_none_queued(channel.server);
    close_pair(&channel);
}

static void a_message_of_its_own_type_is_posted(void)
{
    pair channel = open_pair(1);
    char buffer[8];
    rr_request request;
    const rr_msg msg = msg_of("posted", 6, TYPE_THERE, RR_MSG_UTF8);
    EXPECT(rr_client_post_msg(channel.client, &msg, NULL), 0);
    EXPECT(rr_client_post_msg(channel.client, &msg, within(0)), -ENOBUFS);
    EXPECT(rr_client_post_msg(channel.client, &msg, within(MS)), -ETIMEDOUT);
    EXPECT(rr_recv_msg(channel.server, buffer, sizeof buffer, &request, within(0)), 6);
    CHECK(request.msg_type == TYPE_THERE && request.flags == (RR_MSG_UTF8 | RR_MSG_ONE_WAY));
    EXPECT(rr_release(channel.server, request.id), 0);
    close_pair(&channel);
}

static void a_request_that_does_not_fit_stays_queued(void)
{
    pair channel = open_pair(1);
    char buffer[8];
    rr_request request;
    uint64_t id = send_text(channel.client, "longer");
    EXPECT(rr_recv_msg(channel.server, buffer, 5, &request, NULL), -EOVERFLOW);
    CHECK(request.length == 6);
    EXPECT(rr_recv_msg(channel.server, buffer, 6, &request, NULL), 6);
    reply_text(channel.server, id, "had");
    collect_text(channel.client, id, "had");
    close_pair(&channel);
}

/* ---- numbers ---- */

static void numbers_have_types_flags_and_error_replies(void)
{
    pair channel = open_kind(RR_KIND_INT);
    const int64_t asks = -7, answers = INT64_C(1) << 40;
    int64_t number;
    uint64_t id;
    char text[16];
    rr_result result = result_with(text, sizeof text);
    EXPECT(send_labelled(channel.client, &asks, 8, TYPE_THERE, RR_MSG_UTF8, &id, 0), 0);
    serve_one(channel.server, &asks, &answers, 8);
    EXPECT(rr_client_get_msg(channel.client, id, &number, 7, &result, NULL), -EOVERFLOW);
    EXPECT(rr_client_get_msg(channel.client, id, &number, 8, &result, NULL), 8);
    expect_answer(&result, 8);
    EXPECT(number, answers);

    /* Either form understands the other. */
    EXPECT(rr_client_send_i64(channel.client, 5, &id), 0);
    rr_request request;
    EXPECT(rr_recv_msg(channel.server, &number, 7, &request, NULL), -EOVERFLOW);
    EXPECT(rr_recv_msg(channel.server, &number, 8, &request, NULL), 8);
    EXPECT(number, 5);
    EXPECT(reply_labelled(channel.server, id, &answers, 8, TYPE_BACK, 0), 0);
    EXPECT(rr_client_get_i64(channel.client, id, &number), 0);
    EXPECT(number, answers);

    EXPECT(rr_client_send_i64(channel.client, 6, &id), 0);
    EXPECT(rr_recv_i64(channel.server, &number, &request), 0);
    EXPECT(rr_reply_error(channel.server, id, 42, "no such number"), 0);
    EXPECT(rr_client_get_msg(channel.client, id, &number, 8, &result, NULL), -EREMOTEIO);
    CHECK(result.code == 42 && strcmp(text, "no such number") == 0);
    close_pair(&channel);
}

static void numbers_are_posted_and_wait_for_a_slot(void)
{
    pair channel = open_kind(RR_KIND_INT);
    int64_t number;
    uint64_t id, another;
    rr_request request;
    EXPECT(rr_client_post_i64(channel.client, 11, 0), 0);
    EXPECT(rr_client_send_wait_i64(channel.client, 12, &id, FOREVER), 0);
    EXPECT(rr_client_send_wait_i64(channel.client, 13, &another, 0), -ENOBUFS);
    EXPECT(rr_client_send_wait_i64(channel.client, 13, &another, MS), -ETIMEDOUT);
    EXPECT(rr_client_post_i64(channel.client, 13, 0), -ENOBUFS);
    EXPECT(rr_client_post_i64(channel.client, 13, MS), -ETIMEDOUT);
    EXPECT(rr_recv_i64(channel.server, &number, &request), 0);
    CHECK(number == 11 && request.flags == RR_MSG_ONE_WAY);
    EXPECT(rr_release(channel.server, request.id), 0);
    EXPECT(rr_recv_i64(channel.server, &number, &request), 0);
    CHECK(number == 12 && request.id == id);
    EXPECT(rr_reply_i64(channel.server, id, 24), 0);
    EXPECT(rr_client_get_i64(channel.client, id, &number), 0);
    EXPECT(number, 24);
    EXPECT(rr_client_send_wait_i64(channel.client, 14, NULL, 0), -EINVAL);
    close_pair(&channel);
}

static void a_number_is_eight_bytes(void)
{
    pair channel = open_kind(RR_KIND_INT);
    const char bytes[16] = {0};
    const size_t lengths[] = {0, 7, 9, 16};
    uint64_t id, held;
    int64_t number;
    rr_request request;
    EXPECT(rr_client_send_i64(channel.client, 1, &held), 0);
    EXPECT(rr_recv_i64(channel.server, &number, &request), 0);
    for (size_t k = 0; k < LENGTH(lengths); k++) {
        const rr_msg msg = msg_of(bytes, lengths[k], 0, 0);
        EXPECT(rr_client_send_msg(channel.client, &msg, &id, NULL), -EINVAL);
        EXPECT(rr_client_post_msg(channel.client, &msg, NULL), -EINVAL);
        EXPECT(rr_client_req_msg(channel.client, &msg, &number, 8, NULL, NULL), -EINVAL);
        EXPECT(rr_reply_msg(channel.server, held, &msg), -EINVAL);
    }
    EXPECT(rr_reply_i64(channel.server, held, 2), 0);
    EXPECT(rr_client_get_i64(channel.client, held, &number), 0);
    EXPECT(rr_recv_i64(channel.server, &number, &request), -EAGAIN);
    close_pair(&channel);
}

/* What is for the other kind stays refused. */
static void short_forms_are_of_one_kind(void)
{
    pair numbers = open_kind(RR_KIND_INT), texts = open_kind(RR_KIND_BYTES);
    uint64_t id;
    EXPECT(rr_client_post(numbers.client, "12345678", 8, 0), -EINVAL);
    EXPECT(rr_client_send(numbers.client, "12345678", 8, &id), -EINVAL);
    EXPECT(rr_client_post_i64(texts.client, 1, 0), -EINVAL);
    EXPECT(rr_client_send_wait_i64(texts.client, 1, &id, 0), -EINVAL);
    close_pair(&numbers);
    close_pair(&texts);
}

int main(void)
{
    RUN(types_and_flags_reach_who_collects_as_they_reach_who_looks);
    RUN(a_reply_that_does_not_fit_stays_for_its_id);
    RUN(what_a_whole_request_did_not_get_is_withdrawn);
    RUN(a_message_of_its_own_type_is_posted);
    RUN(a_request_that_does_not_fit_stays_queued);
    RUN(numbers_have_types_flags_and_error_replies);
    RUN(numbers_are_posted_and_wait_for_a_slot);
    RUN(a_number_is_eight_bytes);
    RUN(short_forms_are_of_one_kind);
    return 0;
}
