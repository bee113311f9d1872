/*
 * A server's error reply reaches its client as -EREMOTEIO, and the server's own code and text can be asked for.
 */
#include "fixture.h"

#include <limits.h>

static void fail_next(rr_server *server, int code, const char *text)
{
    EXPECT(rr_reply_error(server, take_any(server), code, text), 0);
}

static uint64_t meet_error(const pair *channel, int code, const char *text)
{
    uint64_t id = send_text(channel->client, "fail");
    fail_next(channel->server, code, text);
    EXPECT(rr_client_get(channel->client, id, NULL, 0), -EREMOTEIO);
    return id;
}

static void code_and_text_are_told_by_id_as_often_as_asked(void)
{
    pair channel = open_pair(2);
    const int codes[] = {0, 1, -1, INT_MAX, INT_MIN};
    for (size_t k = 0; k < LENGTH(codes); k++) {
        uint64_t id = meet_error(&channel, codes[k], "no such file");
        for (int asked = 0; asked < 2; asked++) {
            int code = 12345;
            char text[64];
            EXPECT(rr_client_remote_error(channel.client, id, &code, text, sizeof text), 12);
            CHECK(code == codes[k]);
            CHECK(strcmp(text, "no such file") == 0);
        }
    }
    close_pair(&channel);
}

static void the_id_is_used_up(void)
{
    pair channel = open_pair(1);
    char buffer[64];
    uint64_t id = send_text(channel.client, "fail");
    fail_next(channel.server, 5, "text");
    EXPECT(rr_client_get_wait(channel.client, id, buffer, sizeof buffer, FOREVER), -EREMOTEIO);
    EXPECT(rr_client_pending(channel.client), 0);
    EXPECT(rr_client_get(channel.client, id, buffer, sizeof buffer), -ESTALE);
    expect_works(&channel);
    EXPECT(rr_client_remote_error(channel.client, id, NULL, NULL, 0), 4);
    close_pair(&channel);
}

static void a_whole_request_tells_its_own_by_0(void)
{
    pair channel = open_pair(2);
    pid_t child = fork_child();
    if (child == 0) {
        fail_next(channel.server, 7, "seven");
        fail_next(channel.server, 8, "");
        child_ends();
    }
    char buffer[8], text[16];
    int code;
    EXPECT(rr_client_remote_error(channel.client, 0, &code, text, sizeof text), -ESTALE);
    EXPECT(rr_client_req(channel.client, "", 0, buffer, sizeof buffer, FOREVER), -EREMOTEIO);
    EXPECT(rr_client_pending(channel.client), 0);
    EXPECT(rr_client_remote_error(channel.client, 0, &code, text, sizeof text), 5);
    CHECK(code == 7 && strcmp(text, "seven") == 0);
    EXPECT(rr_client_req(channel.client, "", 0, buffer, sizeof buffer, FOREVER), -EREMOTEIO);
    EXPECT(rr_client_remote_error(channel.client, 0, &code, text, sizeof text), 0);
    CHECK(code == 8 && text[0] == 0);
    expect_ended_well(child);
    close_pair(&channel);
}

static void *expect_no_error_of_this_thread(void *client)
{
    EXPECT(rr_client_remote_error((rr_client *)client, 0, NULL, NULL, 0), -ESTALE);
    return NULL;
}

static void what_0_tells_is_the_calling_threads(void)
{
    pair channel = open_pair(2);
    pid_t child = fork_child();
    if (child == 0) {
        fail_next(channel.server, 7, "seven");
        child_ends();
    }
    EXPECT(rr_client_req(channel.client, "", 0, NULL, 0, FOREVER), -EREMOTEIO);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, expect_no_error_of_this_thread, channel.client) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    EXPECT(rr_client_remote_error(channel.client, 0, NULL, NULL, 0), 5);
    expect_ended_well(child);
    close_pair(&channel);
}

static void the_text_is_cut_to_the_room_and_ends_with_a_nul(void)
{
    pair channel = open_pair(2);
    uint64_t id = meet_error(&channel, 9, "0123456789");
    char text[12];
    for (size_t room = 0; room <= sizeof text; room++) {
        memset(text, 'x', sizeof text);
        EXPECT(rr_client_remote_error(channel.client, id, NULL, text, room), 10);
        size_t kept = room == 0 ? 0 : room - 1 < 10 ? room - 1 : 10;
        CHECK(memcmp(text, "0123456789", kept) == 0);
        CHECK(room == 0 || text[kept] == 0);
        for (size_t k = room; k < sizeof text; k++)
            CHECK(text[k] == 'x');
    }
    int code = 0;
    EXPECT(rr_client_remote_error(channel.client, id, &code, NULL, 100), 10);
    CHECK(code == 9);
    close_pair(&channel);
}

/* What a server sends never sizes what a client allocates. */
static void of_a_long_text_1024_bytes_arrive(void)
{
    pair channel = open_pair(2);
    static char sent[4097], got[4097];
    memset(sent, 'e', sizeof sent - 1);
    for (size_t length = 1023; length <= 4096; length += length < 1025 ? 1 : 3071) {
        sent[length] = 0;
        uint64_t id = meet_error(&channel, 1, sent);
        size_t kept = length < 1024 ? length : 1024;
        EXPECT(rr_client_remote_error(channel.client, id, NULL, got, sizeof got), (int64_t)kept);
        CHECK(strlen(got) == kept && memcmp(got, sent, kept) == 0);
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
    uint64_t id = meet_error(&channel, 1, sent);
    EXPECT(rr_client_remote_error(channel.client, id, NULL, got, sizeof got), 104);
    CHECK(strcmp(got, sent) == 0);
    close_pair(&channel);
}

static void the_newest_64_are_kept(void)
{
    pair channel = open_pair(2);
    uint64_t ids[65];
    for (int k = 0; k < 65; k++)
        ids[k] = meet_error(&channel, k, "text");
    EXPECT(rr_client_remote_error(channel.client, ids[0], NULL, NULL, 0), -ESTALE);
    for (int k = 1; k < 65; k++) {
        int code = -1;
        EXPECT(rr_client_remote_error(channel.client, ids[k], &code, NULL, 0), 4);
        CHECK(code == k);
    }
    close_pair(&channel);
}

static void what_met_no_error_has_none(void)
{
    pair channel = open_pair(2);
    rr_client *other = another_client(&channel);
    uint64_t failed = meet_error(&channel, 1, "text");
    uint64_t fine = send_text(channel.client, "fine");
    reply_text(channel.server, take_text(channel.server, "fine"), "yes");
    collect_text(channel.client, fine, "yes");
    int code = 4;
    EXPECT(rr_client_remote_error(channel.client, fine, &code, NULL, 0), -ESTALE);
    EXPECT(rr_client_remote_error(other, failed, &code, NULL, 0), -ESTALE);
    EXPECT(rr_client_remote_error(channel.client, 0, &code, NULL, 0), -ESTALE);
    CHECK(code == 4);
    rr_client_free(other);
    close_pair(&channel);
}

int main(void)
{
    RUN(code_and_text_are_told_by_id_as_often_as_asked);
    RUN(the_id_is_used_up);
    RUN(a_whole_request_tells_its_own_by_0);
    RUN(what_0_tells_is_the_calling_threads);
    RUN(the_text_is_cut_to_the_room_and_ends_with_a_nul);
    RUN(of_a_long_text_1024_bytes_arrive);
    RUN(a_text_of_104_bytes_arrives_even_where_responses_are_shorter);
    RUN(the_newest_64_are_kept);
    RUN(what_met_no_error_has_none);
    return 0;
}
