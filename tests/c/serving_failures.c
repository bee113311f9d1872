/*
 * What goes wrong with one request under rr_serve is told to its client, or to nobody if there is none; the loop goes on,
 * and no slot is lost.
 */
#include "serving.h"

#include <limits.h>

typedef struct failure {
    int code;
    const char *text;
} failure;

static int fail(void *ctx, const rr_view *request, rr_buffer *reply)
{
    const failure *with = (const failure *)ctx;
    (void)request;
    write_text(reply, with->text);
    reply->msg_type = 1; /* an error has no type: this is not looked at */
    return with->code;
}

static void expect_failure(const pair *channel, int code, const char *written, const char *text)
{
    failure with = {code, written};
    char found[512];
    uint64_t id = send_text(channel->client, "fail");
    serve_queued(channel, fail, &with);
    expect_remote_error(channel->client, id, code, found, sizeof found);
    CHECK_CONTAINS(found, text);
    EXPECT(strlen(found), strlen(text));
}

static void code_and_text_of_a_failed_handler_reach_its_client(void)
{
    pair channel = open_pair(2);
    expect_failure(&channel, -7, "no such thing", "no such thing");
    expect_failure(&channel, -EREMOTEIO, "further away", "further away");
    expect_failure(&channel, INT_MIN, "the lowest", "the lowest");
    expect_all_done(&channel);
    close_pair(&channel);
}

static void without_a_text_a_failure_is_what_rr_strerror_says(void)
{
    const int codes[] = {-EAGAIN, -ETIMEDOUT, -ENOENT, -EOWNERDEAD, -12345, INT_MIN};
    pair channel = open_pair(2);
    for (size_t k = 0; k < LENGTH(codes); k++)
        expect_failure(&channel, codes[k], "", rr_strerror(codes[k]));
    close_pair(&channel);
}

/* It is -EPERM's number, whose sentence says something else. */
static void a_handler_that_failed_without_a_number_says_no_more(void)
{
    pair channel = open_pair(2);
    expect_failure(&channel, RR_SERVE_ERROR, "", "the handler failed");
    expect_failure(&channel, RR_SERVE_ERROR, "ValueError: no such key", "ValueError: no such key");
    EXPECT(RR_SERVE_ERROR, -1);
    close_pair(&channel);
}

/* Errors have 104 bytes even where replies are shorter. */
static void where_responses_are_short_a_failure_still_tells_its_sentence(void)
{
    rr_options options = with_slots(2);
    options.response_max = 4;
    pair channel = {NULL, NULL};
    EXPECT(rr_server_new(NULL, &options, &channel.server, NULL), 0);
    channel.client = another_client(&channel);
    expect_failure(&channel, -EOWNERDEAD, "", rr_strerror(-EOWNERDEAD));
    expect_failure(&channel, -3, "four", "four");
    close_pair(&channel);
}

typedef struct unsendable {
    size_t length;
    uint32_t type, flags;
    int returned;
    int code;
    const char *text;
} unsendable;

static int respond_unsendably(void *ctx, const rr_view *request, rr_buffer *reply)
{
    const unsendable *with = (const unsendable *)ctx;
    (void)request;
    reply->length = with->length;
    reply->msg_type = with->type;
    reply->flags = with->flags;
    return with->returned;
}

static void a_response_that_can_not_be_sent_fails_its_request_and_the_text_says_why(void)
{
    const unsendable all[] = {
        {4097, 0, 0, RR_SERVE_CONTINUE, -EMSGSIZE, "a payload of 4097 bytes exceeds the channel's limit of 4096 bytes"},
        {SIZE_MAX, 0, 0, RR_SERVE_CONTINUE, -EMSGSIZE, "a payload of 18446744073709551615 bytes exceeds the channel's limit of 4096"},
        {4097, 0, RR_MSG_END_ALIGNED, RR_SERVE_CONTINUE, -EMSGSIZE, "a payload of 4097 bytes exceeds the channel's limit of 4096 bytes"},
        {0, 1, 0, RR_SERVE_CONTINUE, -EINVAL, "type: found 1, expected 0, or 128 and up"},
        {0, 127, 0, RR_SERVE_CONTINUE, -EINVAL, "type: found 127, expected 0, or 128 and up"},
        {0, 128, RR_MSG_ONE_WAY, RR_SERVE_CONTINUE, -EINVAL, "flags: found 0x4"},
        {0, 0, 0x80000000u | RR_MSG_UTF8, RR_SERVE_CONTINUE, -EINVAL, "flags: found 0x80000000"},
        {5, 0, 0, 4, -EINVAL, "what the handler returned: found 4, expected RR_SERVE_"},
        {5, 0, 0, 4 | RR_SERVE_STOP, -EINVAL, "what the handler returned: found 5"},
        {5, 0, 0, 4 | RR_SERVE_LATER, -EINVAL, "what the handler returned: found 6"},
        {5, 0, 0, INT_MAX, -EINVAL, "what the handler returned: found 2147483647"},
    };
    pair channel = open_pair(2);
    for (size_t k = 0; k < LENGTH(all); k++) {
        unsendable with = all[k];
        char text[512];
        uint64_t id = send_text(channel.client, "respond");
        serve_queued(&channel, respond_unsendably, &with);
        expect_remote_error(channel.client, id, with.code, text, sizeof text);
        CHECK_CONTAINS(text, with.text);
    }
    expect_all_done(&channel);
    close_pair(&channel);
}

/* What a handler does with a request that nobody waits for. */
static const struct answer {
    int returned;
    size_t length;
} ANSWERS[] = {{RR_SERVE_CONTINUE, 0}, {RR_SERVE_CONTINUE, 4096}, {RR_SERVE_CONTINUE, 4097}, {-1, 0}, {-1, 100}, {4, 0}};

typedef struct unheard {
    pair channel;
    const struct answer *answer;
    uint32_t flags;
    uint64_t to_cancel;
    uint64_t kept;
} unheard;

static int answer_nobody(void *ctx, const rr_view *request, rr_buffer *reply)
{
    unheard *scene = (unheard *)ctx;
    CHECK(says(request, "nobody waits"));
    EXPECT(request->flags, scene->flags);
    scene->kept = request->id;
    if (scene->to_cancel)
        EXPECT(rr_client_cancel(scene->channel.client, scene->to_cancel), 0);
    memset(reply->data, 'x', reply->capacity);
    reply->length = scene->answer->length;
    return scene->answer->returned;
}

static void a_client_that_gives_up_meanwhile_does_no_harm(void)
{
    unheard scene;
    memset(&scene, 0, sizeof scene);
    scene.channel = open_pair(2);
    for (size_t k = 0; k < LENGTH(ANSWERS); k++) {
        scene.answer = &ANSWERS[k];
        scene.to_cancel = send_text(scene.channel.client, "nobody waits");
        serve_queued(&scene.channel, answer_nobody, &scene);
        EXPECT(rr_client_get(scene.channel.client, scene.to_cancel, NULL, 0), -ESTALE);
        expect_all_done(&scene.channel);
    }
    const struct answer later = {RR_SERVE_LATER, 0};
    scene.answer = &later;
    scene.to_cancel = send_text(scene.channel.client, "nobody waits");
    serve_queued(&scene.channel, answer_nobody, &scene);
    EXPECT(rr_reply(scene.channel.server, scene.kept, "late", 4), -ESTALE);
    expect_all_done(&scene.channel);
    close_pair(&scene.channel);
}

static void post_text(rr_client *client, const char *text)
{
    EXPECT(rr_client_post(client, text, strlen(text), FOREVER), 0);
}

static void one_way_messages_are_handled_and_their_answers_dropped(void)
{
    unheard scene;
    memset(&scene, 0, sizeof scene);
    scene.channel = open_pair(2);
    scene.flags = RR_MSG_ONE_WAY;
    for (size_t k = 0; k < LENGTH(ANSWERS); k++) {
        scene.answer = &ANSWERS[k];
        scene.kept = 0;
        post_text(scene.channel.client, "nobody waits");
        serve_queued(&scene.channel, answer_nobody, &scene);
        CHECK(scene.kept != 0);
        expect_all_done(&scene.channel);
    }
    rr_stats stats = stats_of(rr_client_channel(scene.channel.client));
    EXPECT(stats.posts, LENGTH(ANSWERS));
    EXPECT(stats.stale_replies, 0);
    close_pair(&scene.channel);
}

static void a_one_way_message_for_later_holds_its_slot_until_it_is_released(void)
{
    unheard scene;
    memset(&scene, 0, sizeof scene);
    scene.channel = open_pair(2);
    scene.flags = RR_MSG_ONE_WAY;
    const struct answer later = {RR_SERVE_LATER, 0};
    scene.answer = &later;
    for (int by_reply = 0; by_reply < 2; by_reply++) {
        post_text(scene.channel.client, "nobody waits");
        serve_queued(&scene.channel, answer_nobody, &scene);
        EXPECT(stats_of(rr_client_channel(scene.channel.client)).in_flight, 1);
        if (by_reply)
            reply_text(scene.channel.server, scene.kept, "dropped");
        else
            EXPECT(rr_dismiss(scene.channel.server, scene.kept), 0);
        expect_all_done(&scene.channel);
    }
    close_pair(&scene.channel);
}

static void a_one_way_message_may_be_the_last(void)
{
    pair channel = open_pair(2);
    post_text(channel.client, "stop");
    post_text(channel.client, "next");
    EXPECT(rr_serve(channel.server, echo, NULL, NULL), 0);
    EXPECT(rr_channel_queued(rr_server_channel(channel.server)), 1);
    EXPECT(rr_dismiss(channel.server, take_text(channel.server, "next")), 0);
    expect_all_done(&channel);
    close_pair(&channel);
}

/* In how many ways a handler can end its request by itself, and what its client gets. */
enum { REPLIED, COMMITTED, FAILED, RELEASED, ENDS };

typedef struct early {
    rr_server *server;
    int end, returned;
} early;

static int end_by_itself(void *ctx, const rr_view *request, rr_buffer *reply)
{
    const early *how = (const early *)ctx;
    void *room = NULL;
    size_t capacity;
    switch (how->end) {
    case REPLIED:
        reply_text(how->server, request->id, "its own");
        break;
    case COMMITTED:
        EXPECT(loan_reply(how->server, request->id, &room, &capacity), 0);
        memcpy(room, "its own", 7);
        EXPECT(commit_reply(how->server, request->id, 7, 0, 0), 0);
        break;
    case FAILED:
        EXPECT(rr_reply_error(how->server, request->id, 77, "its own"), 0);
        break;
    default:
        EXPECT(rr_dismiss(how->server, request->id), 0);
    }
    reply->length = 3;
    return how->returned;
}

static void expect_its_own_end(rr_client *client, uint64_t id, int end)
{
    char text[16];
    switch (end) {
    case FAILED:
        expect_remote_error(client, id, 77, text, sizeof text);
        CHECK(strcmp(text, "its own") == 0);
        break;
    case RELEASED:
        EXPECT(rr_client_get(client, id, NULL, 0), -ENOMSG);
        break;
    default:
        collect_text(client, id, "its own");
    }
}

static void a_handler_that_ended_its_request_by_itself_has_the_last_word(void)
{
    const int returned[] = {RR_SERVE_CONTINUE, RR_SERVE_LATER, -9, 4};
    pair channel = open_pair(2);
    for (int end = 0; end < ENDS; end++) {
        for (size_t k = 0; k < LENGTH(returned); k++) {
            early how = {channel.server, end, returned[k]};
            uint64_t id = send_text(channel.client, "end");
            serve_queued(&channel, end_by_itself, &how);
            expect_its_own_end(channel.client, id, end);
            expect_all_done(&channel);
        }
    }
    close_pair(&channel);
}

typedef struct reuse {
    pair channel;
    uint64_t next;
    int returned;
} reuse;

/* The slot has its next request before the handler of the last one returns. */
static int end_and_send_again(void *ctx, const rr_view *request, rr_buffer *reply)
{
    reuse *scene = (reuse *)ctx;
    if (says(request, "stop"))
        return echo(NULL, request, reply);
    reply_text(scene->channel.server, request->id, "its own");
    collect_text(scene->channel.client, request->id, "its own");
    scene->next = send_text(scene->channel.client, "stop");
    reply->length = 3;
    return scene->returned;
}

static void what_a_handler_returns_too_late_does_not_concern_the_next_request_in_the_slot(void)
{
    const int returned[] = {RR_SERVE_CONTINUE, RR_SERVE_LATER, -9, 4};
    reuse scene = {open_pair(1), 0, 0};
    for (size_t k = 0; k < LENGTH(returned); k++) {
        scene.returned = returned[k];
        send_text(scene.channel.client, "end");
        EXPECT(rr_serve(scene.channel.server, end_and_send_again, &scene, NULL), 0);
        collect_text(scene.channel.client, scene.next, "stop");
        expect_all_done(&scene.channel);
    }
    close_pair(&scene.channel);
}

int main(void)
{
    RUN(code_and_text_of_a_failed_handler_reach_its_client);
    RUN(without_a_text_a_failure_is_what_rr_strerror_says);
    RUN(a_handler_that_failed_without_a_number_says_no_more);
    RUN(where_responses_are_short_a_failure_still_tells_its_sentence);
    RUN(a_response_that_can_not_be_sent_fails_its_request_and_the_text_says_why);
    RUN(a_client_that_gives_up_meanwhile_does_no_harm);
    RUN(one_way_messages_are_handled_and_their_answers_dropped);
    RUN(a_one_way_message_for_later_holds_its_slot_until_it_is_released);
    RUN(a_one_way_message_may_be_the_last);
    RUN(a_handler_that_ended_its_request_by_itself_has_the_last_word);
    RUN(what_a_handler_returns_too_late_does_not_concern_the_next_request_in_the_slot);
    return 0;
}
