/*
 * Every way to open a channel, what the file of one looks like, and who may share it.
 */
#include "fixture.h"

#include <sys/stat.h>

static void a_channel_has_the_geometry_that_its_creator_asked_for(void)
{
    rr_options options = RR_OPTIONS_INIT;
    options.slots = 5;
    options.participants = 7;
    options.request_max = 1000;
    options.response_max = 3;
    rr_server *server;
    EXPECT(rr_server_new(new_name(), &options, &server, NULL), 0);
    rr_channel *channel = rr_server_channel(server);
    EXPECT(rr_channel_slots(channel), 5);
    EXPECT(rr_channel_request_max(channel), 1000);
    EXPECT(rr_channel_response_max(channel), 3);
    EXPECT(rr_channel_kind(channel), RR_KIND_BYTES);
    rr_server_free(server);
}

static void defaults_are_those_that_the_header_names(void)
{
    rr_server *server;
    const char *name = new_name();
    EXPECT(rr_server_new(name, NULL, &server, NULL), 0);
    rr_channel *channel = rr_server_channel(server);
    EXPECT(rr_channel_slots(channel), 64);
    EXPECT(rr_channel_request_max(channel), 4096);
    EXPECT(rr_channel_response_max(channel), 4096);
    struct stat file;
    CHECK(fstat(rr_channel_fd(channel), &file) == 0);
    CHECK((file.st_mode & 07777) == 0600);
    rr_server_free(server);
}

static void an_existing_channel_keeps_what_it_was_made_with(void)
{
    const char *name = new_name();
    rr_options small = with_slots(3), large = with_slots(300);
    large.request_max = 100000;
    large.mode = 0666;
    rr_server *first, *second;
    EXPECT(rr_server_new(name, &small, &first, NULL), 0);
    EXPECT(rr_server_new(name, &large, &second, NULL), 0);
    EXPECT(rr_channel_slots(rr_server_channel(second)), 3);
    EXPECT(rr_channel_request_max(rr_server_channel(second)), 4096);
    struct stat file;
    CHECK(fstat(rr_channel_fd(rr_server_channel(second)), &file) == 0);
    CHECK((file.st_mode & 07777) == 0600);
    rr_server_free(first);
    rr_server_free(second);
}

static void a_channel_and_its_file_outlive_those_who_leave(void)
{
    const char *name = new_name();
    pair channel;
    rr_options one = with_slots(1);
    EXPECT(rr_server_new(name, &one, &channel.server, NULL), 0);
    rr_server_free(channel.server);
    EXPECT(rr_client_new(name, NULL, &channel.client, NULL), 0);
    uint64_t id = send_text(channel.client, "early");
    EXPECT(rr_server_new(name, NULL, &channel.server, NULL), 0);
    reply_text(channel.server, take_text(channel.server, "early"), "late");
    collect_text(channel.client, id, "late");
    close_pair(&channel);
}

/* The directory is the program's own. */
static void a_path_with_a_slash_is_that_file(void)
{
    pair channel;
    EXPECT(rr_server_new("./by-path", NULL, &channel.server, NULL), 0);
    EXPECT(rr_client_new("./by-path", NULL, &channel.client, NULL), 0);
    CHECK(access("by-path", F_OK) == 0);
    expect_works(&channel);
    char path[32];
    EXPECT(rr_channel_path(rr_client_channel(channel.client), path, sizeof path), strlen("./by-path"));
    CHECK(strcmp(path, "./by-path") == 0);
    EXPECT(rr_channel_unlink(rr_client_channel(channel.client)), 0);
    CHECK(access("by-path", F_OK) != 0);
    expect_works(&channel);
    close_pair(&channel);
}

static void an_anonymous_channel_is_shared_by_a_forked_child(void)
{
    pair channel = open_pair(4);
    pid_t child = fork_child();
    if (child == 0) {
        serve_echo(channel.server, 1);
        child_ends();
    }
    request_text(channel.client, "parent", "parent");
    expect_ended_well(child);
    close_pair(&channel);
}

static void a_memfd_is_sealed_named_and_closed_on_exec(void)
{
    rr_server *server;
    EXPECT(rr_server_new_memfd("a-name-to-read", NULL, &server, NULL), 0);
    int fd = rr_channel_fd(rr_server_channel(server));
    CHECK(fd >= 0);
    CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    CHECK((fcntl(fd, F_GET_SEALS) & seals) == seals);
    char link[64], target[128] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    CHECK(readlink(link, target, sizeof target - 1) > 0);
    CHECK_CONTAINS(target, "a-name-to-read");
    rr_server_free(server);
}

static void both_sides_attach_to_a_descriptor_and_the_caller_keeps_its_own(void)
{
    rr_server *creator;
    EXPECT(rr_server_new_memfd("passed", NULL, &creator, NULL), 0);
    int fd = dup(rr_channel_fd(rr_server_channel(creator)));
    rr_server_free(creator);

    pair channel;
    EXPECT(rr_server_from_fd(fd, NULL, &channel.server, NULL), 0);
    EXPECT(rr_client_from_fd(fd, NULL, &channel.client, NULL), 0);
    expect_works(&channel);
    char path[8] = "unset";
    EXPECT(rr_channel_path(rr_client_channel(channel.client), path, sizeof path), 0);
    CHECK(path[0] == 0);
    close_pair(&channel);
    CHECK(fcntl(fd, F_GETFD) >= 0);
    CHECK(close(fd) == 0);
}

static void a_child_attaches_to_the_descriptor_that_it_inherited(void)
{
    rr_server *server;
    EXPECT(rr_server_new_memfd("inherited", NULL, &server, NULL), 0);
    pid_t child = fork_child();
    if (child == 0) {
        rr_client *client;
        EXPECT(rr_client_from_fd(rr_channel_fd(rr_server_channel(server)), NULL, &client, NULL), 0);
        request_text(client, "child", "child");
        rr_client_free(client);
        child_ends();
    }
    serve_echo(server, 1);
    expect_ended_well(child);
    rr_server_free(server);
}

static void each_handle_is_a_participant(void)
{
    pair channel = open_pair(4);
    rr_client *more = another_client(&channel);
    CHECK(stats_of(rr_client_channel(more)).participants == 3);
    rr_client_free(more);
    CHECK(stats_of(rr_server_channel(channel.server)).participants == 2);
    close_pair(&channel);
}

static int open_descriptors(int expected_flags)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++) {
        int flags = fcntl(fd, F_GETFD);
        count += flags >= 0 && (flags & expected_flags) == expected_flags;
    }
    return count;
}

static void the_descriptors_of_a_handle_are_closed_on_exec_and_when_it_is_freed(void)
{
    int all = open_descriptors(0), closed_on_exec = open_descriptors(FD_CLOEXEC);
    for (int k = 0; k < 3; k++) {
        pair channel = open_pair(4);
        int more = open_descriptors(0) - all;
        CHECK(more > 0 && open_descriptors(FD_CLOEXEC) == closed_on_exec + more);
        expect_works(&channel);
        close_pair(&channel);
        CHECK(open_descriptors(0) == all);
    }
}

static void the_mode_is_exact_whatever_the_umask(void)
{
    const mode_t masks[] = {0, 022, 077, 0777};
    const mode_t modes[] = {0, 0600, 0622, 0660, 0666, 0777};
    for (size_t k = 0; k < LENGTH(masks); k++) {
        for (size_t m = 0; m < LENGTH(modes); m++) {
            rr_options options = RR_OPTIONS_INIT;
            options.mode = (uint32_t)modes[m];
            rr_server *server;
            mode_t before = umask(masks[k]);
            EXPECT(rr_server_new("./mode", &options, &server, NULL), 0);
            umask(before);
            struct stat file;
            CHECK(stat("mode", &file) == 0);
            CHECK((file.st_mode & 07777) == (modes[m] ? modes[m] : 0600));
            EXPECT(rr_channel_unlink(rr_server_channel(server)), 0);
            rr_server_free(server);
        }
    }
}

static void pages_are_reserved_unless_the_channel_is_sparse(void)
{
    for (uint32_t flags = 0; flags <= RR_OPT_SPARSE; flags += RR_OPT_SPARSE) {
        rr_options options = RR_OPTIONS_INIT;
        options.flags = flags;
        options.request_max = 1 << 16;
        pair channel;
        const char *name = new_name();
        EXPECT(rr_server_new(name, &options, &channel.server, NULL), 0);
        struct stat file;
        CHECK(fstat(rr_channel_fd(rr_server_channel(channel.server)), &file) == 0);
        CHECK(flags ? file.st_blocks * 512 < file.st_size / 2 : file.st_blocks * 512 >= file.st_size);
        EXPECT(rr_client_new(name, NULL, &channel.client, NULL), 0);
        expect_works(&channel);
        close_pair(&channel);
    }
}

static void an_exclusive_creator_does_not_attach(void)
{
    const char *name = new_name();
    rr_options exclusive = RR_OPTIONS_INIT;
    exclusive.flags = RR_OPT_EXCLUSIVE;
    rr_server *first, *second, *third;
    rr_error error;
    EXPECT(rr_server_new(name, &exclusive, &first, NULL), 0);
    EXPECT(rr_server_new(name, &exclusive, &second, &error), -EEXIST);
    CHECK(second == NULL);
    CHECK_CONTAINS(error.message, name);
    EXPECT(rr_server_new(name, NULL, &third, NULL), 0);
    rr_server_free(first);
    rr_server_free(third);
}

#define RACERS 8

static void of_racing_creators_one_creates_and_the_others_attach(void)
{
    const char *name = new_name();
    gate start = new_gate(), created = new_gate();
    pid_t children[RACERS];
    for (int k = 0; k < RACERS; k++) {
        children[k] = fork_child();
        if (children[k] == 0) {
            rr_options options = with_slots(4);
            rr_server *server;
            pass_gate(&start);
            options.flags = RR_OPT_EXCLUSIVE;
            int code = rr_server_new(name, &options, &server, NULL);
            if (code == 0)
                open_gate(&created);
            else
                EXPECT(code, -EEXIST);
            options.flags = 0;
            rr_server *again;
            EXPECT(rr_server_new(name, &options, &again, NULL), 0);
            serve_echo(again, 1);
            rr_server_free(again);
            rr_server_free(server);
            child_ends();
        }
    }
    for (int k = 0; k < RACERS; k++)
        open_gate(&start);
    rr_options options = RR_OPTIONS_INIT;
    options.connect_timeout_ns = FOREVER;
    rr_client *client;
    EXPECT(rr_client_new(name, &options, &client, NULL), 0);
    for (int k = 0; k < RACERS; k++)
        request_text(client, "one each", "one each");
    for (int k = 0; k < RACERS; k++)
        expect_ended_well(children[k]);
    pass_gate(&created);
    CHECK(fcntl(created.ends[0], F_SETFL, O_NONBLOCK) == 0);
    char byte;
    CHECK(read(created.ends[0], &byte, 1) < 0 && errno == EAGAIN);
    rr_client_free(client);
    drop_gate(&start);
    drop_gate(&created);
}

static void a_client_waits_for_a_channel_that_appears(void)
{
    const char *name = new_name();
    pid_t parent = getpid(), child = fork_child();
    if (child == 0) {
        rr_server *server;
        until_asleep(parent);
        EXPECT(rr_server_new(name, NULL, &server, NULL), 0);
        serve_echo(server, 1);
        rr_server_free(server);
        child_ends();
    }
    rr_options options = RR_OPTIONS_INIT;
    options.connect_timeout_ns = 60 * SECOND;
    rr_client *client;
    EXPECT(rr_client_new(name, &options, &client, NULL), 0);
    request_text(client, "at last", "at last");
    rr_client_free(client);
    expect_ended_well(child);
}

static void a_client_gives_up_on_a_channel_that_does_not_appear(void)
{
    const char *name = new_name();
    rr_options options = RR_OPTIONS_INIT;
    rr_client *client;
    rr_error error;
    EXPECT(rr_client_new(name, &options, &client, &error), -ENOENT);
    CHECK(client == NULL);
    options.connect_timeout_ns = 50 * MS;
    int64_t begun = now();
    EXPECT(rr_client_new(name, &options, &client, &error), -ENOENT);
    int64_t took = now() - begun;
    CHECK(took >= 50 * MS && took < 10 * SECOND);
    CHECK_CONTAINS(error.message, "/dev/shm/");
    CHECK_CONTAINS(error.message, name);
}

static void an_unlinked_name_is_free_for_another_channel(void)
{
    const char *name = new_name();
    pair old, fresh;
    EXPECT(rr_server_new(name, NULL, &old.server, NULL), 0);
    EXPECT(rr_client_new(name, NULL, &old.client, NULL), 0);
    EXPECT(rr_unlink(name), 0);
    EXPECT(rr_unlink(name), -ENOENT);
    EXPECT(rr_client_new(name, NULL, &fresh.client, NULL), -ENOENT);
    rr_options two = with_slots(2);
    EXPECT(rr_server_new(name, &two, &fresh.server, NULL), 0);
    EXPECT(rr_client_new(name, NULL, &fresh.client, NULL), 0);
    EXPECT(rr_channel_slots(rr_client_channel(fresh.client)), 2);
    uint64_t id = send_text(fresh.client, "new");
    expect_none_queued(old.server);
    EXPECT(rr_client_cancel(fresh.client, id), 0);
    expect_works(&old);
    expect_works(&fresh);
    close_pair(&old);
    close_pair(&fresh);
}

int main(void)
{
    RUN(a_channel_has_the_geometry_that_its_creator_asked_for);
    RUN(defaults_are_those_that_the_header_names);
    RUN(an_existing_channel_keeps_what_it_was_made_with);
    RUN(a_channel_and_its_file_outlive_those_who_leave);
    RUN(a_path_with_a_slash_is_that_file);
    RUN(an_anonymous_channel_is_shared_by_a_forked_child);
    RUN(a_memfd_is_sealed_named_and_closed_on_exec);
    RUN(both_sides_attach_to_a_descriptor_and_the_caller_keeps_its_own);
    RUN(a_child_attaches_to_the_descriptor_that_it_inherited);
    RUN(each_handle_is_a_participant);
    RUN(the_descriptors_of_a_handle_are_closed_on_exec_and_when_it_is_freed);
    RUN(the_mode_is_exact_whatever_the_umask);
    RUN(pages_are_reserved_unless_the_channel_is_sparse);
    RUN(an_exclusive_creator_does_not_attach);
    RUN(of_racing_creators_one_creates_and_the_others_attach);
    RUN(a_client_waits_for_a_channel_that_appears);
    RUN(a_client_gives_up_on_a_channel_that_does_not_appear);
    RUN(an_unlinked_name_is_free_for_another_channel);
    return 0;
}
