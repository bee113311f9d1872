/*
 * A null pointer in any place, an unknown id, a structure of a wrong size: each call says so and does nothing else. And
 * what the calls tell that need no channel: versions, sentences, geometry.
 */
#include "fixture.h"

#include <limits.h>
#include <stddef.h>

static void opening_without_a_place_for_the_handle_says_so(void)
{
    pair channel = open_pair(1);
    int fd = rr_channel_fd(rr_server_channel(channel.server));
    rr_error error;
    EXPECT(rr_server_new(new_name(), NULL, NULL, &error), -EINVAL);
    EXPECT(error.code, -EINVAL);
    CHECK_CONTAINS(error.message, "null");
    EXPECT(rr_server_new(NULL, NULL, NULL, NULL), -EINVAL);
    EXPECT(rr_server_new_memfd("name", NULL, NULL, NULL), -EINVAL);
    EXPECT(rr_server_from_fd(fd, NULL, NULL, NULL), -EINVAL);
    EXPECT(rr_client_new("name", NULL, NULL, NULL), -EINVAL);
    EXPECT(rr_client_from_fd(fd, NULL, NULL, NULL), -EINVAL);
    EXPECT(rr_client_from_server(channel.server, NULL, NULL, NULL), -EINVAL);
    EXPECT(rr_unlink(fixture_names[0]), -ENOENT);
    CHECK(stats_of(rr_server_channel(channel.server)).participants == 2);
    close_pair(&channel);
}

static void opening_without_a_name_says_so(void)
{
    rr_server *server = (rr_server *)(void *)&server;
    rr_client *client = (rr_client *)(void *)&client;
    rr_error error;
    EXPECT(rr_server_new_memfd(NULL, NULL, &server, &error), -EINVAL);
    CHECK(server == NULL);
    CHECK_CONTAINS(error.message, "name");
    EXPECT(rr_client_new(NULL, NULL, &client, &error), -EINVAL);
    CHECK(client == NULL);
    CHECK_CONTAINS(error.message, "path");
    EXPECT(rr_client_from_server(NULL, NULL, &client, &error), -EINVAL);
    CHECK_CONTAINS(error.message, "srv");
    const char *const bad[] = {"", ".", ".."};
    for (size_t k = 0; k < LENGTH(bad); k++) {
        EXPECT(rr_server_new(bad[k], NULL, &server, NULL), -EINVAL);
        EXPECT(rr_client_new(bad[k], NULL, &client, NULL), -EINVAL);
    }
}

static void the_name_of_a_memfd_has_up_to_249_bytes_of_utf_8(void)
{
    char name[251];
    rr_server *server;
    memset(name, 'n', sizeof name);
    name[250] = 0;
    EXPECT(rr_server_new_memfd(name, NULL, &server, NULL), -EINVAL);
    name[249] = 0;
    EXPECT(rr_server_new_memfd(name, NULL, &server, NULL), 0);
    rr_server_free(server);
    EXPECT(rr_server_new_memfd("\xC3\x28", NULL, &server, NULL), -EINVAL);
    EXPECT(rr_server_new_memfd("\xC3\xA9", NULL, &server, NULL), 0);
    rr_server_free(server);
}

static void freeing_nothing_is_allowed(void)
{
    rr_server_free(NULL);
    rr_client_free(NULL);
}

static void calls_without_a_handle_say_so(void)
{
    char buffer[8];
    uint64_t id;
    rr_request request;
    rr_stats stats = RR_STATS_INIT;
    EXPECT(rr_server_stop(NULL), -EINVAL);
    EXPECT(rr_recv(NULL, buffer, sizeof buffer, &request), -EINVAL);
    EXPECT(rr_recv_wait(NULL, buffer, sizeof buffer, &request, FOREVER), -EINVAL);
    EXPECT(rr_reply(NULL, 1, "", 0), -EINVAL);
    EXPECT(rr_reply_error(NULL, 1, 1, ""), -EINVAL);
    CHECK(rr_server_channel(NULL) == NULL);

    EXPECT(rr_client_stop(NULL), -EINVAL);
    EXPECT(rr_client_req(NULL, "", 0, buffer, sizeof buffer, FOREVER), -EINVAL);
    EXPECT(rr_client_send(NULL, "", 0, &id), -EINVAL);
    EXPECT(rr_client_send_wait(NULL, "", 0, FOREVER, &id), -EINVAL);
    EXPECT(rr_client_get(NULL, 1, buffer, sizeof buffer), -EINVAL);
    EXPECT(rr_client_get_wait(NULL, 1, buffer, sizeof buffer, FOREVER), -EINVAL);
    EXPECT(rr_client_cancel(NULL, 1), -EINVAL);
    EXPECT(rr_client_pending(NULL), -EINVAL);
    EXPECT(rr_client_remote_error(NULL, 0, NULL, buffer, sizeof buffer), -EINVAL);
    CHECK(rr_client_channel(NULL) == NULL);

    EXPECT(rr_channel_slots(NULL), -EINVAL);
    EXPECT(rr_channel_request_max(NULL), -EINVAL);
    EXPECT(rr_channel_response_max(NULL), -EINVAL);
    EXPECT(rr_channel_queued(NULL), -EINVAL);
    EXPECT(rr_channel_kind(NULL), -EINVAL);
    EXPECT(rr_channel_path(NULL, buffer, sizeof buffer), -EINVAL);
    EXPECT(rr_channel_fd(NULL), -EINVAL);
    EXPECT(rr_channel_stats(NULL, &stats), -EINVAL);
    EXPECT(rr_channel_recover(NULL), -EINVAL);
    EXPECT(rr_channel_unlink(NULL), -EINVAL);
    EXPECT(rr_unlink(NULL), -EINVAL);
    EXPECT(rr_options_init(NULL, sizeof(rr_options)), -EINVAL);
}

static void calls_without_a_buffer_or_a_place_say_so_and_change_nothing(void)
{
    pair channel = open_pair(4);
    char buffer[8];
    uint64_t id;
    rr_request request;
    EXPECT(rr_client_req(channel.client, NULL, 1, buffer, sizeof buffer, FOREVER), -EINVAL);
    EXPECT(rr_client_req(channel.client, "", 0, NULL, 1, FOREVER), -EINVAL);
    EXPECT(rr_client_send(channel.client, NULL, 1, &id), -EINVAL);
    EXPECT(rr_client_send(channel.client, "", 0, NULL), -EINVAL);
    EXPECT(rr_client_send_wait(channel.client, NULL, 1, FOREVER, &id), -EINVAL);
    EXPECT(rr_client_send_wait(channel.client, "", 0, FOREVER, NULL), -EINVAL);
    EXPECT(rr_client_pending(channel.client), 0);

    id = send_text(channel.client, "asked");
    EXPECT(rr_recv(channel.server, NULL, 8, &request), -EINVAL);
    EXPECT(rr_recv(channel.server, buffer, sizeof buffer, NULL), -EINVAL);
    EXPECT(rr_recv_wait(channel.server, NULL, 8, &request, FOREVER), -EINVAL);
    EXPECT(rr_recv_wait(channel.server, buffer, sizeof buffer, NULL, FOREVER), -EINVAL);
    uint64_t taken = take_text(channel.server, "asked");
    EXPECT(rr_reply(channel.server, taken, NULL, 1), -EINVAL);
    EXPECT(rr_reply_error(channel.server, taken, 1, NULL), -EINVAL);
    reply_text(channel.server, taken, "told");
    EXPECT(rr_client_get(channel.client, id, NULL, 8), -EINVAL);
    EXPECT(rr_client_get_wait(channel.client, id, NULL, 8, FOREVER), -EINVAL);
    collect_text(channel.client, id, "told");

    const rr_channel *handle = rr_client_channel(channel.client);
    EXPECT(rr_channel_stats(handle, NULL), -EINVAL);
    EXPECT(rr_channel_path(handle, NULL, 8), -EINVAL);
    EXPECT(rr_channel_path(handle, NULL, 0), -EINVAL);
    close_pair(&channel);
}

static void impossible_lengths_are_too_long(void)
{
    pair channel = open_pair(1);
    uint64_t id;
    const size_t lengths[] = {4097, UINT32_MAX, SIZE_MAX / 2 + 1, SIZE_MAX};
    for (size_t k = 0; k < LENGTH(lengths); k++) {
        /* Refused by its length, before a byte is read. */
        static const char byte = 0;
        EXPECT(rr_client_send(channel.client, &byte, lengths[k], &id), -EMSGSIZE);
    }
    id = send_text(channel.client, "asked");
    uint64_t taken = take_text(channel.server, "asked");
    EXPECT(rr_reply(channel.server, taken, "", SIZE_MAX), -EMSGSIZE);
    reply_text(channel.server, taken, "told");
    collect_text(channel.client, id, "told");
    close_pair(&channel);
}

static void ids_that_were_never_given_out_are_stale(void)
{
    pair channel = open_pair(2);
    rr_server *other;
    EXPECT(rr_server_from_fd(rr_channel_fd(rr_server_channel(channel.server)), NULL, &other, NULL), 0);
    uint64_t held = send_text(channel.client, "taken"), queued = send_text(channel.client, "queued");
    uint64_t taken = take_text(channel.server, "taken");
    const uint64_t ids[] = {0, 1, 65535, 65536, 65537,
                            held + 65536, taken + 1, INT64_MAX, UINT64_MAX - 65535, UINT64_MAX};
    char buffer[8];
    for (size_t k = 0; k < LENGTH(ids); k++) {
        if (ids[k] == held || ids[k] == queued)
            continue;
        EXPECT(rr_client_get(channel.client, ids[k], buffer, sizeof buffer), -ESTALE);
        EXPECT(rr_client_get_wait(channel.client, ids[k], buffer, sizeof buffer, FOREVER), -ESTALE);
        EXPECT(rr_client_cancel(channel.client, ids[k]), -ESTALE);
        EXPECT(rr_client_remote_error(channel.client, ids[k], NULL, buffer, sizeof buffer), -ESTALE);
        EXPECT(rr_reply(channel.server, ids[k], "", 0), -ESTALE);
        EXPECT(rr_reply_error(channel.server, ids[k], 1, ""), -ESTALE);
    }
    EXPECT(rr_reply(channel.server, queued, "", 0), -ESTALE);
    EXPECT(rr_reply(other, taken, "", 0), -ESTALE);
    EXPECT(rr_client_pending(channel.client), 2);
    reply_text(channel.server, taken, "told");
    collect_text(channel.client, held, "told");
    rr_server_free(other);
    close_pair(&channel);
}

static void a_path_is_told_if_it_fits_with_its_nul(void)
{
    rr_server *server;
    const char *name = new_name();
    EXPECT(rr_server_new(name, NULL, &server, NULL), 0);
    const rr_channel *channel = rr_server_channel(server);
    char wanted[128], path[128];
    snprintf(wanted, sizeof wanted, "/dev/shm/%s", name);
    size_t length = strlen(wanted);
    memset(path, 'x', sizeof path);
    EXPECT(rr_channel_path(channel, path, 0), -EMSGSIZE);
    EXPECT(rr_channel_path(channel, path, length), -EMSGSIZE);
    CHECK(path[0] == 'x');
    EXPECT(rr_channel_path(channel, path, length + 1), length);
    CHECK(strcmp(path, wanted) == 0 && path[length + 1] == 'x');
    EXPECT(rr_channel_unlink(channel), 0);
    EXPECT(rr_channel_unlink(channel), -ENOENT);
    rr_server_free(server);
}

static void a_channel_without_a_name_has_none_to_tell_or_to_remove(void)
{
    pair channel = open_pair(1);
    const rr_channel *handle = rr_client_channel(channel.client);
    char path[2] = "x";
    EXPECT(rr_channel_path(handle, path, 0), -EMSGSIZE);
    EXPECT(rr_channel_path(handle, path, 1), 0);
    CHECK(path[0] == 0);
    EXPECT(rr_channel_unlink(handle), -EINVAL);
    EXPECT(rr_channel_unlink(rr_server_channel(channel.server)), -EINVAL);
    close_pair(&channel);
}

static void statistics_are_filled_by_the_size_that_the_caller_knows(void)
{
    pair channel = open_pair(3);
    const rr_channel *handle = rr_client_channel(channel.client);
    union {
        rr_stats stats;
        unsigned char bytes[sizeof(rr_stats) + 32];
    } filled;
    const uint32_t bad[] = {0, 1, offsetof(rr_stats, slots), 4097, UINT32_MAX};
    for (size_t k = 0; k < LENGTH(bad); k++) {
        filled.stats.size = bad[k];
        EXPECT(rr_channel_stats(handle, &filled.stats), -EINVAL);
    }
    const uint32_t good[] = {offsetof(rr_stats, queued), offsetof(rr_stats, requests), sizeof(rr_stats),
                             sizeof filled - 8};
    for (size_t k = 0; k < LENGTH(good); k++) {
        memset(&filled, 0xAA, sizeof filled);
        filled.stats.size = good[k];
        EXPECT(rr_channel_stats(handle, &filled.stats), 0);
        CHECK(filled.stats.size == good[k] && filled.stats.slots == 3);
        for (size_t at = good[k]; at < sizeof filled; at++)
            CHECK(filled.bytes[at] == 0xAA);
        for (size_t at = sizeof(rr_stats); at < good[k]; at++)
            CHECK(filled.bytes[at] == 0);
    }
    close_pair(&channel);
}

static void every_code_has_a_sentence_of_its_own_whatever_its_sign(void)
{
    const char *unknown = rr_strerror(12345);
    CHECK(unknown && *unknown);
    CHECK(strcmp(rr_strerror(INT_MIN), unknown) == 0 && strcmp(rr_strerror(INT_MAX), unknown) == 0);
    CHECK(*rr_strerror(0) && strcmp(rr_strerror(0), unknown) != 0);
#define CODE(code) code,
    const int codes[] = {FOR_EACH_CODE(CODE)};
    for (size_t k = 0; k < LENGTH(codes); k++) {
        const char *sentence = rr_strerror(-codes[k]);
        CHECK(strcmp(sentence, unknown) != 0 && strcmp(sentence, rr_strerror(0)) != 0);
        CHECK(rr_strerror(codes[k]) == sentence);
        for (size_t other = 0; other < k; other++)
            CHECK(strcmp(sentence, rr_strerror(codes[other])) != 0);
    }
}

static void versions_are_those_of_the_build(void)
{
    CHECK(strcmp(rr_version(), EXPECTED_VERSION) == 0);
    EXPECT(rr_abi_version(), 0);
}

int main(void)
{
    RUN(opening_without_a_place_for_the_handle_says_so);
    RUN(opening_without_a_name_says_so);
    RUN(the_name_of_a_memfd_has_up_to_249_bytes_of_utf_8);
    RUN(freeing_nothing_is_allowed);
    RUN(calls_without_a_handle_say_so);
    RUN(calls_without_a_buffer_or_a_place_say_so_and_change_nothing);
    RUN(impossible_lengths_are_too_long);
    RUN(ids_that_were_never_given_out_are_stale);
    RUN(a_path_is_told_if_it_fits_with_its_nul);
    RUN(a_channel_without_a_name_has_none_to_tell_or_to_remove);
    RUN(statistics_are_filled_by_the_size_that_the_caller_knows);
    RUN(every_code_has_a_sentence_of_its_own_whatever_its_sign);
    RUN(versions_are_those_of_the_build);
    return 0;
}
