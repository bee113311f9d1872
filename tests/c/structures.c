/*
 * Structures that programs and libraries of different versions exchange: each says its size, and a flag of the wrong
 * family is refused.
 */
#include "fixture.h"

#include <stddef.h>

/* As a later version of the header has them. */
typedef struct later_wait {
    rr_wait known;
    uint64_t more[2];
} later_wait;

typedef struct later_msg {
    rr_msg known;
    uint64_t more[2];
} later_msg;

typedef struct later_buffer {
    rr_buffer known;
    uint64_t more[2];
} later_buffer;

typedef struct later_view {
    rr_view known;
    uint64_t more[2];
} later_view;

typedef struct later_participant {
    rr_participant known;
    uint64_t more[2];
} later_participant;

static pair channel;

static int64_t waits(const rr_wait *wait)
{
    rr_view view;
    return rr_recv_view(channel.server, &view, wait);
}

static void a_wait_is_as_long_as_its_size_says(void)
{
    later_wait wait;
    memset(&wait, 0, sizeof wait);
    wait.known.size = sizeof wait;
    EXPECT(waits(&wait.known), -EAGAIN);
    wait.known.timeout_ns = MS;
    EXPECT(waits(&wait.known), -ETIMEDOUT);
    wait.more[1] = 1;
    EXPECT(waits(&wait.known), -E2BIG);
    wait.known.size = offsetof(rr_wait, cancel);
    EXPECT(waits(&wait.known), -ETIMEDOUT);
    const uint32_t sizes[] = {0, 1, offsetof(rr_wait, cancel) - 1, 4097, UINT32_MAX};
    for (size_t k = 0; k < LENGTH(sizes); k++) {
        wait.known.size = sizes[k];
        EXPECT(waits(&wait.known), -EINVAL);
    }
}

static void a_message_is_as_long_as_its_size_says(void)
{
    uint64_t id;
    later_msg msg;
    memset(&msg, 0, sizeof msg);
    msg.known = msg_of("later", 5, 128, 0);
    msg.known.size = sizeof msg;
    EXPECT(rr_client_send_msg(channel.client, &msg.known, &id, within(0)), 0);
    CHECK(take_text(channel.server, "later") == id);
    EXPECT(rr_reply_msg(channel.server, id, &msg.known), 0);
    collect_text(channel.client, id, "later");
    msg.more[0] = 1;
    EXPECT(rr_client_send_msg(channel.client, &msg.known, &id, within(0)), -E2BIG);
    EXPECT(rr_reply_msg(channel.server, id, &msg.known), -E2BIG);

    /* One without a type. */
    msg.known.size = offsetof(rr_msg, msg_type);
    msg.known.msg_type = 1;
    EXPECT(rr_client_send_msg(channel.client, &msg.known, &id, within(0)), 0);
    rr_request request;
    char buffer[8];
    EXPECT(rr_recv(channel.server, buffer, sizeof buffer, &request), 5);
    CHECK(request.msg_type == 0);
    EXPECT(rr_reply_msg(channel.server, id, &msg.known), 0);
    collect_text(channel.client, id, "later");

    const uint32_t sizes[] = {0, 1, offsetof(rr_msg, msg_type) - 1, 4097, UINT32_MAX};
    for (size_t k = 0; k < LENGTH(sizes); k++) {
        msg.known.size = sizes[k];
        EXPECT(rr_client_send_msg(channel.client, &msg.known, &id, within(0)), -EINVAL);
        EXPECT(rr_reply_msg(channel.server, id, &msg.known), -EINVAL);
    }
}

static void a_buffer_is_as_long_as_its_size_says(void)
{
    uint64_t id;
    later_buffer buffer;
    memset(&buffer, 0, sizeof buffer);
    buffer.known.size = sizeof buffer;
    EXPECT(rr_client_loan(channel.client, &buffer.known, within(0)), 0);
    CHECK(buffer.known.size == sizeof buffer && buffer.known.capacity == 4096);
    memcpy(buffer.known.data, "later", 5);
    buffer.known.length = 5;
    buffer.more[1] = 1;
    EXPECT(rr_client_commit(channel.client, &buffer.known, &id), -E2BIG);
    EXPECT(rr_client_abort(channel.client, &buffer.known), -E2BIG);
    buffer.more[1] = 0;
    EXPECT(rr_client_commit(channel.client, &buffer.known, &id), 0);
    CHECK(!buffer.known.data && buffer.known.capacity == 0);
    CHECK(take_text(channel.server, "later") == id);

    /* One that ends before the type; what is behind it is not touched. */
    buffer.known.size = offsetof(rr_buffer, msg_type);
    buffer.known.msg_type = 77;
    EXPECT(rr_reply_loan(channel.server, id, &buffer.known), 0);
    CHECK(buffer.known.msg_type == 77 && buffer.known.id == id && buffer.known.length == 0);
    memcpy(buffer.known.data, "early", 5);
    buffer.known.length = 5;
    EXPECT(rr_reply_commit(channel.server, &buffer.known), 0);
    collect_text(channel.client, id, "early");

    const uint32_t sizes[] = {0, 1, offsetof(rr_buffer, msg_type) - 1, 4097, UINT32_MAX};
    for (size_t k = 0; k < LENGTH(sizes); k++) {
        buffer.known.size = sizes[k];
        EXPECT(rr_client_loan(channel.client, &buffer.known, within(0)), -EINVAL);
        EXPECT(rr_client_commit(channel.client, &buffer.known, &id), -EINVAL);
        EXPECT(rr_client_abort(channel.client, &buffer.known), -EINVAL);
        EXPECT(rr_reply_loan(channel.server, id, &buffer.known), -EINVAL);
        EXPECT(rr_reply_commit(channel.server, &buffer.known), -EINVAL);
    }
    EXPECT(rr_client_pending(channel.client), 0);
}

typedef struct later_result {
    rr_result known;
    uint64_t more[2];
} later_result;

static void a_result_is_as_long_as_its_size_says(void)
{
    char text[16] = "unused", buffer[8];
    later_result result;
    memset(&result, 0, sizeof result);
    result.known.size = sizeof result;
    result.known.text = text;
    result.known.text_cap = sizeof text;
    uint64_t id = send_text(channel.client, "question");
    take_text(channel.server, "question");
    result.more[1] = 1;
    EXPECT(rr_client_get_msg(channel.client, id, buffer, sizeof buffer, &result.known, within(0)), -E2BIG);
    result.more[1] = 0;
    EXPECT(rr_client_get_msg(channel.client, id, buffer, sizeof buffer, &result.known, within(0)), -EAGAIN);
    CHECK(result.known.id == id);
    const uint32_t sizes[] = {0, 1, offsetof(rr_result, reserved) - 1, 4097, UINT32_MAX};
    const rr_msg msg = RR_MSG_INIT;
    rr_view view;
    for (size_t k = 0; k < LENGTH(sizes); k++) {
        result.known.size = sizes[k];
        EXPECT(rr_client_get_msg(channel.client, id, buffer, sizeof buffer, &result.known, NULL), -EINVAL);
        EXPECT(rr_client_req_msg(channel.client, &msg, buffer, sizeof buffer, &result.known, NULL), -EINVAL);
        EXPECT(rr_client_view(channel.client, id, &view, &result.known, NULL), -EINVAL);
    }
    expect_none_queued(channel.server);

    /* One that ends before the reserved words; what is behind it is not touched. */
    result.known.size = offsetof(rr_result, reserved);
    memset(result.known.reserved, 0xAA, sizeof result.known.reserved);
    EXPECT(rr_reply_error(channel.server, id, 9, "nine"), 0);
    EXPECT(rr_client_get_msg(channel.client, id, buffer, sizeof buffer, &result.known, NULL), -EREMOTEIO);
    CHECK(result.known.code == 9 && strcmp(text, "nine") == 0 && result.known.id == 0);
    CHECK(result.known.size == offsetof(rr_result, reserved) && result.known.reserved[0] == UINT64_C(0xAAAAAAAAAAAAAAAA));
}

/* Reserved words are left as they are. */
static void elements_lie_as_far_apart_as_their_size_says(void)
{
    later_view views[3];
    memset(views, 0xAA, sizeof views);
    uint64_t ids[3];
    for (int k = 0; k < 3; k++)
        ids[k] = send_text(channel.client, "element");
    EXPECT(rr_recv_batch(channel.server, &views[0].known, sizeof *views, 2, NULL), 2);
    EXPECT(rr_drain(channel.server, &views[2].known, sizeof *views, 1), 1);
    for (int k = 0; k < 3; k++) {
        CHECK(views[k].known.id == ids[k] && views[k].known.length == 7);
        for (size_t at = offsetof(rr_view, reserved); at < sizeof *views; at++)
            CHECK(((unsigned char *)&views[k])[at] == 0xAA);
        reply_text(channel.server, ids[k], "done");
        collect_text(channel.client, ids[k], "done");
    }
    const size_t sizes[] = {0, 8, offsetof(rr_view, reserved) - 8, sizeof(rr_view) + 1, 4104, SIZE_MAX};
    for (size_t k = 0; k < LENGTH(sizes); k++) {
        EXPECT(rr_recv_batch(channel.server, &views[0].known, sizes[k], 2, within(0)), -EINVAL);
        EXPECT(rr_drain(channel.server, &views[0].known, sizes[k], 2), -EINVAL);
    }

    later_participant found[3];
    memset(found, 0xAA, sizeof found);
    EXPECT(rr_channel_participants(rr_client_channel(channel.client), &found[0].known, sizeof *found, 3), 2);
    for (int k = 0; k < 2; k++)
        CHECK(found[k].known.pid == getpid() && found[k].more[0] == 0 && found[k].more[1] == 0);
    CHECK(found[2].more[0] != 0);
    EXPECT(rr_channel_participants(rr_client_channel(channel.client), &found[0].known, 8, 3), -EINVAL);
    EXPECT(rr_channel_participants(rr_client_channel(channel.client), NULL, sizeof *found, 0), 2);
}

static void stats_init_and_the_macro_agree(void)
{
    rr_stats assigned = RR_STATS_INIT, called;
    memset(&called, 0xAA, sizeof called);
    EXPECT(rr_stats_init(&called, sizeof called), 0);
    CHECK(memcmp(&assigned, &called, sizeof called) == 0);
    EXPECT(rr_stats_init(NULL, sizeof called), -EINVAL);
    EXPECT(rr_stats_init(&called, 0), -EINVAL);
    EXPECT(rr_stats_init(&called, 4097), -EINVAL);
}

static void a_flag_of_another_family_is_refused(void)
{
    const uint32_t of_messages[] = {RR_MSG_UTF8, RR_MSG_END_ALIGNED, RR_MSG_ONE_WAY};
    const uint32_t of_options[] = {RR_OPT_EXCLUSIVE, RR_OPT_SPARSE, RR_OPT_REDELIVER, RR_OPT_NOTIFY,
                                   RR_OPT_NEED_SERVER};
    for (size_t k = 0; k < LENGTH(of_messages); k++) {
        rr_server *server;
        rr_options options = RR_OPTIONS_INIT;
        options.flags = of_messages[k];
        EXPECT(rr_server_new(NULL, &options, &server, NULL), -EINVAL);
        rr_wait wait = RR_WAIT_INIT;
        wait.flags = of_messages[k];
        EXPECT(waits(&wait), -EINVAL);
    }
    uint64_t id = send_text(channel.client, "question");
    take_text(channel.server, "question");
    for (size_t k = 0; k < LENGTH(of_options); k++) {
        uint64_t another;
        EXPECT(send_labelled(channel.client, "", 0, 0, of_options[k], &another, 0), -EINVAL);
        EXPECT(reply_labelled(channel.server, id, "", 0, 0, of_options[k]), -EINVAL);
        rr_wait wait = RR_WAIT_INIT;
        wait.flags = of_options[k];
        EXPECT(waits(&wait), -EINVAL);
    }
    reply_text(channel.server, id, "answer");
    collect_text(channel.client, id, "answer");
}

static void the_header_tells_the_version_of_the_library(void)
{
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", RR_VERSION_MAJOR, RR_VERSION_MINOR, RR_VERSION_PATCH);
    CHECK(strcmp(version, RR_VERSION) == 0 && strcmp(version, rr_version()) == 0);
    CHECK(rr_abi_version() == RR_ABI_VERSION);
}

int main(void)
{
    channel = open_pair(4);
    RUN(a_wait_is_as_long_as_its_size_says);
    RUN(a_message_is_as_long_as_its_size_says);
    RUN(a_buffer_is_as_long_as_its_size_says);
    RUN(a_result_is_as_long_as_its_size_says);
    RUN(elements_lie_as_far_apart_as_their_size_says);
    RUN(stats_init_and_the_macro_agree);
    RUN(a_flag_of_another_family_is_refused);
    RUN(the_header_tells_the_version_of_the_library);
    close_pair(&channel);
    return 0;
}
