/*
 * The options structure: its defaults, its ranges, and its size, by which programs and libraries of different versions
 * understand each other. A refusal names the field, the value found and what was expected.
 */
#include "fixture.h"

#include <stddef.h>

/* Refused by servers and clients alike, with the same words. */
static void expect_refused(const rr_options *options, int code, const char *field, const char *found)
{
    rr_server *server = (rr_server *)options;
    rr_error error;
    EXPECT(rr_server_new(NULL, options, &server, &error), code);
    CHECK(server == NULL);
    EXPECT(error.code, code);
    CHECK_CONTAINS(error.message, field);
    CHECK_CONTAINS(error.message, found);
    CHECK_CONTAINS(error.message, "expected");
}

static rr_server *expect_accepted(const rr_options *options)
{
    rr_server *server;
    rr_error error;
    memset(&error, 'x', sizeof error);
    int code = rr_server_new(NULL, options, &server, &error);
    /* That is, the message is empty; if it is not, the failure shows it. */
    CHECK_CONTAINS("", error.message);
    EXPECT(code, 0);
    EXPECT(error.code, 0);
    return server;
}

static void options_init_and_the_macro_agree(void)
{
    rr_options assigned = RR_OPTIONS_INIT, called;
    memset(&called, 0xAA, sizeof called);
    EXPECT(rr_options_init(&called, sizeof called), 0);
    CHECK(memcmp(&assigned, &called, sizeof called) == 0);
    CHECK(called.size == sizeof called);
}

static void options_init_fills_a_structure_of_another_version_by_its_size(void)
{
    unsigned char longer[sizeof(rr_options) + 24], shorter[sizeof(rr_options)];
    uint32_t size;
    memset(longer, 0xAA, sizeof longer);
    EXPECT(rr_options_init((rr_options *)(void *)longer, sizeof longer - 8), 0);
    memcpy(&size, longer, sizeof size);
    CHECK(size == sizeof longer - 8);
    for (size_t k = sizeof size; k < sizeof longer; k++)
        CHECK(longer[k] == (k < sizeof longer - 8 ? 0 : 0xAA));

    memset(shorter, 0xAA, sizeof shorter);
    EXPECT(rr_options_init((rr_options *)(void *)shorter, offsetof(rr_options, slots)), 0);
    memcpy(&size, shorter, sizeof size);
    CHECK(size == offsetof(rr_options, slots));
    CHECK(shorter[offsetof(rr_options, slots) - 1] == 0);
    CHECK(shorter[offsetof(rr_options, slots)] == 0xAA);
}

static void a_size_of_no_version_is_refused(void)
{
    const uint32_t sizes[] = {0, 1, offsetof(rr_options, slots) - 1, 4097, UINT32_MAX};
    for (size_t k = 0; k < LENGTH(sizes); k++) {
        char found[16];
        rr_options options = RR_OPTIONS_INIT;
        options.size = sizes[k];
        snprintf(found, sizeof found, "found %u", (unsigned)sizes[k]);
        expect_refused(&options, -EINVAL, "size", found);
        EXPECT(rr_options_init(&options, sizes[k]), -EINVAL);
    }
}

static void an_older_and_shorter_structure_is_understood(void)
{
    rr_options options = with_slots(3);
    options.request_max = 77;
    options.mode = 07777;
    options.flags = UINT32_MAX;
    options.size = offsetof(rr_options, mode);
    rr_server *server = expect_accepted(&options);
    EXPECT(rr_channel_slots(rr_server_channel(server)), 3);
    EXPECT(rr_channel_request_max(rr_server_channel(server)), 77);
    rr_server_free(server);
}

typedef struct later_options {
    rr_options known;
    unsigned char more[40];
} later_options;

static void a_later_and_longer_structure_is_understood_if_it_asks_for_nothing_new(void)
{
    later_options options;
    memset(&options, 0, sizeof options);
    options.known = with_slots(3);
    options.known.size = sizeof options;
    rr_server *server = expect_accepted(&options.known);
    EXPECT(rr_channel_slots(rr_server_channel(server)), 3);
    rr_server_free(server);
}

static void a_later_structure_that_asks_for_something_new_is_refused(void)
{
    const size_t places[] = {0, 17, sizeof(((later_options *)NULL)->more) - 1};
    for (size_t k = 0; k < LENGTH(places); k++) {
        later_options options;
        memset(&options, 0, sizeof options);
        options.known.size = sizeof options;
        options.more[places[k]] = 1;
        char found[16];
        snprintf(found, sizeof found, "found %zu", sizeof options);
        expect_refused(&options.known, -E2BIG, "size", found);
        rr_client *client;
        EXPECT(rr_client_new("no-such-channel", &options.known, &client, NULL), -E2BIG);
        CHECK(client == NULL);
    }
}

static void numbers_out_of_range_are_refused_and_the_message_says_the_range(void)
{
    rr_options options = RR_OPTIONS_INIT;
    options.slots = 65473;
    expect_refused(&options, -EINVAL, "slots: found 65473", "1 to 65472");
    options.slots = UINT32_MAX;
    expect_refused(&options, -EINVAL, "slots: found 4294967295", "1 to 65472");
    options.slots = 0;

    options.participants = 4096;
    expect_refused(&options, -EINVAL, "participants: found 4096", "1 to 4095");
    options.participants = 0;

    options.request_max = (UINT64_C(1) << 30) + 1;
    expect_refused(&options, -EINVAL, "request_max: found 1073741825", "0 to 1073741824");
    options.request_max = UINT64_MAX - 1;
    expect_refused(&options, -EINVAL, "request_max: found 18446744073709551614", "0 to 1073741824");
    options.request_max = 0;

    options.response_max = UINT64_MAX - 1;
    expect_refused(&options, -EINVAL, "response_max: found 18446744073709551614", "0 to 1073741824");
    options.response_max = 0;

    options.mode = 01000;
    expect_refused(&options, -EINVAL, "mode", "0o1000");
    /* Who can only read the file could still lock what proves that others live. */
    options.mode = 0644;
    expect_refused(&options, -EINVAL, "mode", "0o644");
}

static void the_ends_of_the_ranges_are_accepted(void)
{
    rr_options least = RR_OPTIONS_INIT;
    least.slots = 1;
    least.participants = 1;
    least.request_max = 1;
    least.response_max = 1;
    rr_server *server = expect_accepted(&least);
    EXPECT(rr_channel_slots(rr_server_channel(server)), 1);
    EXPECT(rr_channel_response_max(rr_server_channel(server)), 1);
    rr_server_free(server);

    rr_options most = RR_OPTIONS_INIT;
    most.flags = RR_OPT_SPARSE;
    most.slots = 65472;
    most.participants = 4095;
    server = expect_accepted(&most);
    EXPECT(rr_channel_slots(rr_server_channel(server)), 65472);
    rr_server_free(server);

    rr_options long_ones = RR_OPTIONS_INIT;
    long_ones.flags = RR_OPT_SPARSE;
    long_ones.slots = 1;
    long_ones.request_max = UINT64_C(1) << 30;
    long_ones.response_max = UINT64_C(1) << 30;
    server = expect_accepted(&long_ones);
    EXPECT(rr_channel_request_max(rr_server_channel(server)), 1 << 30);
    rr_server_free(server);
}

static void all_flags_go_together_and_numbers_are_eight_bytes_long(void)
{
    rr_options options = with_slots(1);
    options.flags = RR_OPT_EXCLUSIVE | RR_OPT_SPARSE | RR_OPT_REDELIVER | RR_OPT_NOTIFY | RR_OPT_NEED_SERVER;
    EXPECT(options.flags, 0x10000 | 0x20000 | 0x40000 | 0x80000 | 0x100000);
    rr_server_free(expect_accepted(&options));
    options.kind = RR_KIND_INT;
    rr_server *server = expect_accepted(&options);
    EXPECT(rr_channel_kind(rr_server_channel(server)), 1);
    EXPECT(rr_channel_request_max(rr_server_channel(server)), 8);
    EXPECT(rr_channel_response_max(rr_server_channel(server)), 8);
    rr_server_free(server);
    options.request_max = options.response_max = 8;
    rr_server_free(expect_accepted(&options));
    options.request_max = 16;
    expect_refused(&options, -EINVAL, "request_max: found 16", "8");
    options.request_max = 0;
    options.response_max = 7;
    expect_refused(&options, -EINVAL, "response_max: found 7", "8");
}

static void unknown_flags_and_kinds_are_refused(void)
{
    rr_options options = RR_OPTIONS_INIT;
    options.flags = RR_OPT_SPARSE | 32;
    expect_refused(&options, -EINVAL, "flags: found 0x20", "RR_OPT_EXCLUSIVE");
    options.flags = UINT32_C(1) << 31;
    expect_refused(&options, -EINVAL, "flags: found 0x80000000", "RR_OPT_SPARSE");
    options.flags = 0;
    options.kind = 2;
    expect_refused(&options, -EINVAL, "kind: found 2", "RR_KIND_BYTES");
    options.kind = UINT32_MAX;
    expect_refused(&options, -EINVAL, "kind: found 4294967295", "RR_KIND_INT");
}

static void every_way_of_polling_before_sleeping_works(void)
{
    const int64_t spins[] = {INT64_MIN, -1, 0, 1, MS, INT64_MAX};
    for (size_t k = 0; k < LENGTH(spins); k++) {
        rr_options options = RR_OPTIONS_INIT;
        options.spin_ns = spins[k];
        pair channel = {expect_accepted(&options), NULL};
        EXPECT(rr_client_from_server(channel.server, &options, &channel.client, NULL), 0);
        expect_works(&channel);
        char buffer[8];
        uint64_t id = send_text(channel.client, "unserved");
        EXPECT(rr_client_get_wait(channel.client, id, buffer, sizeof buffer, MS), -ETIMEDOUT);
        close_pair(&channel);
    }
}

static void every_mode_in_range_is_accepted_whether_or_not_the_channel_has_a_name(void)
{
    const uint32_t modes[] = {0600, 0666, 0777};
    for (size_t k = 0; k < LENGTH(modes); k++) {
        rr_options options = RR_OPTIONS_INIT;
        options.mode = modes[k];
        rr_server *server;
        EXPECT(rr_server_new(new_name(), &options, &server, NULL), 0);
        rr_server_free(server);
        rr_server_free(expect_accepted(&options));
    }
}

int main(void)
{
    RUN(options_init_and_the_macro_agree);
    RUN(options_init_fills_a_structure_of_another_version_by_its_size);
    RUN(a_size_of_no_version_is_refused);
    RUN(an_older_and_shorter_structure_is_understood);
    RUN(a_later_and_longer_structure_is_understood_if_it_asks_for_nothing_new);
    RUN(a_later_structure_that_asks_for_something_new_is_refused);
    RUN(numbers_out_of_range_are_refused_and_the_message_says_the_range);
    RUN(the_ends_of_the_ranges_are_accepted);
    RUN(all_flags_go_together_and_numbers_are_eight_bytes_long);
    RUN(unknown_flags_and_kinds_are_refused);
    RUN(every_way_of_polling_before_sleeping_works);
    RUN(every_mode_in_range_is_accepted_whether_or_not_the_channel_has_a_name);
    return 0;
}
