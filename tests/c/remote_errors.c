/*
 * A server's error reply reaches its client as -EREMOTEIO, and the result of the very call that met it tells code and
 * text: whoever else calls, in this thread or another, has its own.
 */
#include "fixture.h"

#include <limits.h>

static void fail_next(rr_server *server, int code, const char *text)
{
    EXPECT(rr_reply_error(server, take_any(server), code, text), 0);
}

static void expect_error(const rr_result *result, int code, const char *text)
{
    CHECK(result->flags == RR_MSG_ERROR && result->code == code && result->text_length == strlen(text));
    CHECK(result->id == 0 && result->length == 0 && result->msg_type == 0);
}

/* ---- the ways to meet one ---- */

static int64_t by_get(rr_client *client, uint64_t id, rr_result *result)
{
    return rr_client_get_msg(client, id, NULL, 0, result, NULL);
}

static int64_t by_view(rr_client *client, uint64_t id, rr_result *result)
{
    rr_view view;
    return rr_client_view(client, id, &view, result, NULL);
}

static int64_t (*const WAYS[])(rr_client *, uint64_t, rr_result *) = {by_get, by_view};

static void code_and_text_are_told_by_the_call_that_meets_them(void)
{
    pair channel = open_pair(2);
    const int codes[] = {0, 1, -1, INT_MAX, INT_MIN};
    for (size_t k = 0; k < LENGTH(WAYS) * LENGTH(codes); k++) {
        char text[64];
        rr_result result = result_with(text, sizeof text);
        uint64_t id = send_text(channel.client, "fail");
        fail_next(channel.server, codes[k / LENGTH(WAYS)], "no such file");
        EXPECT(WAYS[k % LENGTH(WAYS)](channel.client, id, &result), -EREMOTEIO);
        expect_error(&result, codes[k / LENGTH(WAYS)], "no such file");
        CHECK(strcmp(text, "no such file") == 0);
        EXPECT(rr_client_pending(channel.client), 0);
        EXPECT(WAYS[k % LENGTH(WAYS)](channel.client, id, &result), -ESTALE);
        CHECK(result.flags == 0 && result.code == 0 && result.text_length == 0);
    }
    expect_works(&channel);
    close_pair(&channel);
}

static void a_whole_request_tells_its_own(void)
{
    pair channel = open_pair(2);
    pid_t child = fork_child();
    if (child == 0) {
        fail_next(channel.server, 7, "seven");
        fail_next(channel.server, 8, "");
        child_ends();
    }
    char buffer[8], text[16];
    const rr_msg msg = RR_MSG_INIT;
    rr_result result = result_with(text, sizeof text);
    EXPECT(rr_client_req_msg(channel.client, &msg, buffer, sizeof buffer, &result, NULL), -EREMOTEIO);
    expect_error(&result, 7, "seven");
    CHECK(strcmp(text, "seven") == 0);
    EXPECT(rr_client_pending(channel.client), 0);
    EXPECT(rr_client_req_msg(channel.client, &msg, buffer, sizeof buffer, &result, NULL), -EREMOTEIO);
    expect_error(&result, 8, "");
    CHECK(text[0] == 0);
    expect_ended_well(child);
    close_pair(&channel);
}

static void who_does_not_ask_gets_the_code_alone(void)
{
    pair channel = open_pair(1);
    char buffer[8];
    for (int k = 0; k < 3; k++) {
        uint64_t id = send_text(channel.client, "fail");
        fail_next(channel.server, 5, "text");
        if (k == 0)
            EXPECT(rr_client_get_wait(channel.client, id, buffer, sizeof buffer, FOREVER), -EREMOTEIO);
        else
            EXPECT(WAYS[k - 1](channel.client, id, NULL), -EREMOTEIO);
        expect_works(&channel);
    }
    close_pair(&channel);
}

static void the_text_is_cut_to_the_room_and_ends_with_a_nul(void)
{
    pair channel = open_pair(2);
    char text[12];
    for (size_t room = 0; room <= sizeof text; room++) {
        memset(text, 'x', sizeof text);
        rr_result result = result_with(text, room);
        uint64_t id = send_text(channel.client, "fail");
        fail_next(channel.server, 9, "0123456789");
        EXPECT(by_get(channel.client, id, &result), -EREMOTEIO);
        expect_error(&result, 9, "0123456789");
        size_t kept = room == 0 ? 0 : room - 1 < 10 ? room - 1 : 10;
        CHECK(memcmp(text, "0123456789", kept) == 0);
        CHECK(room == 0 || text[kept] == 0);
        for (size_t k = room; k < sizeof text; k++)
            CHECK(text[k] == 'x');
    }
    rr_result result = result_with(NULL, 100);
    uint64_t id = send_text(channel.client, "fail");
    fail_next(channel.server, 9, "0123456789");
    EXPECT(by_get(channel.client, id, &result), -EREMOTEIO);
    expect_error(&result, 9, "0123456789");
    close_pair(&channel);
}

static void a_character_that_does_not_fit_is_left_out(void)
{
    pair channel = open_pair(2);
    static const char sent[] = "a\xC3\xB1\xE2\x82\xAC"; /* one, two and three bytes */
    static const size_t kept[] = {0, 0, 1, 1, 3, 3, 3, 6};
    for (size_t room = 1; room < LENGTH(kept); room++) {
        char text[8];
        rr_result result = result_with(text, room);
        uint64_t id = send_text(channel.client, "fail");
        fail_next(channel.server, 9, sent);
        EXPECT(by_get(channel.client, id, &result), -EREMOTEIO);
        EXPECT(strlen(text), kept[room]);
        CHECK(memcmp(text, sent, kept[room]) == 0 && result.text_length == 6);
    }
    close_pair(&channel);
}

static void a_text_is_as_long_as_a_response_may_be(void)
{
    pair channel = open_pair(2);
    static char sent[4097], got[4097];
    memset(sent, 'e', sizeof sent - 1);
    for (size_t length = 1023; length <= 4096; length += length < 1025 ? 1 : 3071) {
        sent[length] = 0;
        rr_result result = result_with(got, sizeof got);
        uint64_t id = send_text(channel.client, "fail");
        fail_next(channel.server, 1, sent);
        EXPECT(by_get(channel.client, id, &result), -EREMOTEIO);
        expect_error(&result, 1, sent);
        CHECK(strcmp(got, sent) == 0);
        sent[length] = 'e';
    }
    close_pair(&channel);
}

static void a_text_of_104_bytes_arrives_even_where_responses_are_shorter(void)
{
    rr_options options = RR_OPTIONS_INIT;
    options.response_max = 1;
    pair channel = {NULL, NULL};
    EXPECT(rr_server_new(NULL, &options, &channel.server, NULL), 0);
    channel.client = another_client(&channel);
    char sent[105], got[105];
    memset(sent, 'e', sizeof sent - 1);
    sent[104] = 0;
    rr_result result = result_with(got, sizeof got);
    uint64_t id = send_text(channel.client, "fail");
    fail_next(channel.server, 1, sent);
    EXPECT(by_get(channel.client, id, &result), -EREMOTEIO);
    expect_error(&result, 1, sent);
    CHECK(strcmp(got, sent) == 0);
    close_pair(&channel);
}

/* ---- many threads ---- */

#define THREADS 64
#define CALLS 50

typedef struct caller {
    rr_client *client;
    uint32_t number;
} caller;

/* Fails each request with the number that it says, and a text that says it too. */
static int fail_with_number(void *ctx, const rr_view *request, rr_buffer *reply)
{
    uint32_t number;
    (void)ctx;
    memcpy(&number, request->data, sizeof number);
    if (number == 0)
        return RR_SERVE_STOP;
    reply->length = (size_t)snprintf((char *)reply->data, reply->capacity, "error %u", number);
    return -(int)number;
}

static void *meet_own_errors(void *context)
{
    const caller *me = (const caller *)context;
    for (uint32_t k = 0; k < CALLS; k++) {
        uint32_t number = me->number + THREADS * k;
        char text[32], expected[32];
        rr_result result = result_with(text, sizeof text);
        const rr_msg msg = msg_of(&number, sizeof number, 0, 0);
        EXPECT(rr_client_req_msg(me->client, &msg, NULL, 0, &result, NULL), -EREMOTEIO);
        snprintf(expected, sizeof expected, "error %u", number);
        expect_error(&result, -(int)number, expected);
        CHECK(strcmp(text, expected) == 0);
    }
    return NULL;
}

static void *serve_failures(void *server)
{
    EXPECT(rr_serve((rr_server *)server, fail_with_number, NULL, NULL), 0);
    return NULL;
}

static void of_64_threads_each_gets_its_own_code_and_text(void)
{
    pair channel = open_pair(THREADS);
    pthread_t server, threads[THREADS];
    caller callers[THREADS];
    CHECK(pthread_create(&server, NULL, serve_failures, channel.server) == 0);
    for (uint32_t k = 0; k < THREADS; k++) {
        callers[k].client = channel.client;
        callers[k].number = k + 1;
        CHECK(pthread_create(&threads[k], NULL, meet_own_errors, &callers[k]) == 0);
    }
    for (int k = 0; k < THREADS; k++)
        CHECK(pthread_join(threads[k], NULL) == 0);
    const uint32_t last = 0;
    EXPECT(rr_client_req(channel.client, &last, sizeof last, NULL, 0, FOREVER), 0);
    CHECK(pthread_join(server, NULL) == 0);
    close_pair(&channel);
}

int main(void)
{
    RUN(code_and_text_are_told_by_the_call_that_meets_them);
    RUN(a_whole_request_tells_its_own);
    RUN(who_does_not_ask_gets_the_code_alone);
    RUN(the_text_is_cut_to_the_room_and_ends_with_a_nul);
    RUN(a_character_that_does_not_fit_is_left_out);
    RUN(a_text_is_as_long_as_a_response_may_be);
    RUN(a_text_of_104_bytes_arrives_even_where_responses_are_shorter);
    RUN(of_64_threads_each_gets_its_own_code_and_text);
    return 0;
}
