/*
 * A null pointer in any place, a structure of a wrong size: the calls that open a channel or tell something about it say so
 * and do nothing else. And what the calls tell that need no channel: versions, sentences, geometry. The calls of either
 * side are in arguments_calling.c and arguments_serving.c.
 */
#include "untouched.h"

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

static void calls_without_a_channel_say_so(void)
{
    char buffer[8] = "unused";
    rr_stats stats = RR_STATS_INIT;
    rr_participant participant;
    EXPECT(rr_channel_slots(NULL), -EINVAL);
    EXPECT(rr_channel_request_max(NULL), -EINVAL);
    EXPECT(rr_channel_response_max(NULL), -EINVAL);
    EXPECT(rr_channel_queued(NULL), -EINVAL);
    EXPECT(rr_channel_is_empty(NULL), -EINVAL);
    CHECK(rr_channel_user(NULL) == 0);
    EXPECT(rr_channel_kind(NULL), -EINVAL);
    EXPECT(rr_channel_path(NULL, buffer, sizeof buffer), -EINVAL);
    EXPECT(rr_channel_fd(NULL), -EINVAL);
    EXPECT(rr_channel_stats(NULL, &stats), -EINVAL);
    EXPECT(rr_channel_participants(NULL, &participant, sizeof(rr_participant), 1), -EINVAL);
    EXPECT(rr_channel_participants(NULL, NULL, sizeof(rr_participant), 0), -EINVAL);
    EXPECT(rr_channel_clear(NULL), -EINVAL);
    EXPECT(rr_channel_sync(NULL), -EINVAL);
    EXPECT(rr_channel_recover(NULL), -EINVAL);
    EXPECT(rr_channel_unlink(NULL), -EINVAL);
    EXPECT(rr_channel_servers(NULL), -EINVAL);
    EXPECT(rr_channel_is_current(NULL), -EINVAL);
    EXPECT(rr_channel_request_fd(NULL), -EINVAL);
    EXPECT(rr_channel_reply_fd(NULL), -EINVAL);
    EXPECT(rr_channel_request_fd_make(NULL), -EINVAL);
    EXPECT(rr_channel_reply_fd_make(NULL), -EINVAL);
    EXPECT(rr_channel_request_fd_set(NULL, 0), -EINVAL);
    EXPECT(rr_channel_reply_fd_set(NULL, 0), -EINVAL);
    EXPECT(rr_channel_request_fd_set(NULL, -1), -EINVAL);
    EXPECT(rr_channel_reply_fd_set(NULL, -1), -EINVAL);
    EXPECT(rr_channel_notify_requests(NULL), -EINVAL);
    EXPECT(rr_channel_notify_replies(NULL), -EINVAL);
    EXPECT(rr_channel_consume_requests(NULL), -EINVAL);
    EXPECT(rr_channel_consume_replies(NULL), -EINVAL);
    EXPECT(rr_unlink(NULL), -EINVAL);
    EXPECT(rr_options_init(NULL, sizeof(rr_options)), -EINVAL);
    CHECK(strcmp(buffer, "unused") == 0 && stats.slots == 0);
}

static void asking_without_a_place_for_the_answer_changes_nothing(void)
{
    pair channel = open_pair(4);
    rr_channel *handle = rr_client_channel(channel.client);
    const image *before = image_of(handle);
    REFUSED(before, rr_channel_stats(handle, NULL));
    REFUSED(before, rr_channel_path(handle, NULL, 8));
    REFUSED(before, rr_channel_path(handle, NULL, 0));
    REFUSED(before, rr_channel_participants(handle, NULL, sizeof(rr_participant), 1));
    EXPECT(rr_channel_participants(handle, NULL, sizeof(rr_participant), 0), 2);
    close_pair(&channel);
}

static void a_path_is_told_if_it_fits_with_its_nul(void)
{
    rr_server *server;
    const char *name = new_name();
    EXPECT(rr_server_new(name, NULL, &server, NULL), 0);
    rr_channel *channel = rr_server_channel(server);
    char wanted[128], path[128];
    snprintf(wanted, sizeof wanted, "/dev/shm/%s", name);
    size_t length = strlen(wanted);
    memset(path, 'x', sizeof path);
    EXPECT(rr_channel_path(channel, path, 0), -ERANGE);
    EXPECT(rr_channel_path(channel, path, length), -ERANGE);
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
    rr_channel *handle = rr_client_channel(channel.client);
    char path[2] = "x";
    EXPECT(rr_channel_path(handle, path, 0), -ERANGE);
    EXPECT(rr_channel_path(handle, path, 1), 0);
    CHECK(path[0] == 0);
    EXPECT(rr_channel_unlink(handle), -EINVAL);
    EXPECT(rr_channel_unlink(rr_server_channel(channel.server)), -EINVAL);
    close_pair(&channel);
}

static void statistics_are_filled_by_the_size_that_the_caller_knows(void)
{
    pair channel = open_pair(3);
    rr_channel *handle = rr_client_channel(channel.client);
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
    RUN(calls_without_a_channel_say_so);
    RUN(asking_without_a_place_for_the_answer_changes_nothing);
    RUN(a_path_is_told_if_it_fits_with_its_nul);
    RUN(a_channel_without_a_name_has_none_to_tell_or_to_remove);
    RUN(statistics_are_filled_by_the_size_that_the_caller_knows);
    RUN(every_code_has_a_sentence_of_its_own_whatever_its_sign);
    RUN(versions_are_those_of_the_build);
    return 0;
}
