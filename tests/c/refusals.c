/*
 * What is no channel, or none for this process, is refused with a code of its own, and the message names the path, what
 * was found and what was expected.
 */
#include "fixture.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

static void expect_client_refused(const char *path, int code, const char *found)
{
    static char somewhere;
    rr_client *client = (rr_client *)(void *)&somewhere;
    rr_error error;
    EXPECT(rr_client_new(path, NULL, &client, &error), code);
    CHECK(client == NULL);
    EXPECT(error.code, code);
    CHECK_CONTAINS(error.message, path);
    CHECK_CONTAINS(error.message, found);
}

/* A server attaches to what is there, so it is refused for the same reason. */
static void expect_refused(const char *path, int code, const char *found)
{
    rr_server *server;
    rr_error error;
    expect_client_refused(path, code, found);
    EXPECT(rr_server_new(path, NULL, &server, &error), code);
    CHECK(server == NULL);
    EXPECT(error.code, code);
    CHECK_CONTAINS(error.message, path);
    CHECK_CONTAINS(error.message, found);
}

static void write_file(const char *path, const char *bytes, size_t length)
{
    FILE *file = fopen(path, "we");
    CHECK(file != NULL);
    CHECK(fwrite(bytes, 1, length, file) == length);
    CHECK(fclose(file) == 0);
}

static void make_channel(const char *path)
{
    rr_server *server;
    EXPECT(rr_server_new(path, NULL, &server, NULL), 0);
    rr_server_free(server);
}

static void overwrite(const char *path, long offset, const void *bytes, size_t length)
{
    FILE *file = fopen(path, "r+e");
    CHECK(file != NULL);
    CHECK(fseek(file, offset, SEEK_SET) == 0);
    CHECK(fwrite(bytes, 1, length, file) == length);
    CHECK(fclose(file) == 0);
}

static void what_is_not_there_is_enoent(void)
{
    expect_client_refused("./not-there", -ENOENT, "No such file");
    rr_server *server;
    rr_error error;
    EXPECT(rr_server_new("./no-directory/channel", NULL, &server, &error), -ENOENT);
    CHECK_CONTAINS(error.message, "./no-directory/channel");
}

static void files_that_are_no_channels_are_eproto(void)
{
    char letters[4096];
    memset(letters, 'x', sizeof letters);
    write_file("./empty", "", 0);
    expect_refused("./empty", -EPROTO, "file size in bytes: found 0, expected at least 256");
    write_file("./short", letters, 255);
    expect_refused("./short", -EPROTO, "found 255");
    write_file("./letters", letters, sizeof letters);
    expect_refused("./letters", -EPROTO, "magic: found xxxxxxxx, expected SHMRR");
}

static void things_that_are_no_files_are_eproto(void)
{
    CHECK(mkdir("./directory", 0700) == 0);
    expect_refused("./directory", -EPROTO, "found a directory, expected a regular file");
    CHECK(mkfifo("./fifo", 0600) == 0);
    expect_refused("./fifo", -EPROTO, "found a FIFO, expected a regular file");
    expect_refused("/dev/null", -EPROTO, "found a character device, expected a regular file");
}

static void a_symbolic_link_is_eloop_wherever_it_leads(void)
{
    make_channel("./linked");
    CHECK(symlink("linked", "./link") == 0);
    expect_refused("./link", -ELOOP, "symbolic link");
    CHECK(symlink("nowhere", "./dangling") == 0);
    expect_refused("./dangling", -ELOOP, "symbolic link");
    CHECK(access("nowhere", F_OK) != 0);
}

static void a_header_that_was_changed_is_eproto_and_the_field_is_named(void)
{
    const uint32_t version = 99, slots = 3;
    make_channel("./version");
    overwrite("./version", 8, &version, sizeof version);
    expect_refused("./version", -EPROTO, "layout version: found 99, expected");
    make_channel("./slots");
    overwrite("./slots", 40, &slots, sizeof slots);
    expect_refused("./slots", -EPROTO, "found");
    make_channel("./checksum");
    overwrite("./checksum", 252, &slots, sizeof slots);
    expect_refused("./checksum", -EPROTO, "header checksum: found 3, expected");
}

static void a_file_that_was_cut_or_has_grown_is_eproto(void)
{
    struct stat file;
    make_channel("./cut");
    CHECK(stat("cut", &file) == 0);
    CHECK(truncate("cut", file.st_size - 1) == 0);
    expect_refused("./cut", -EPROTO, "file size in bytes");
    CHECK(truncate("cut", file.st_size + 1) == 0);
    expect_refused("./cut", -EPROTO, "file size in bytes");
}

static void descriptors_that_are_no_channels_are_refused(void)
{
    int ends[2];
    rr_server *server;
    rr_client *client;
    rr_error error;
    CHECK(pipe(ends) == 0);
    EXPECT(rr_server_from_fd(ends[0], NULL, &server, &error), -EPROTO);
    CHECK_CONTAINS(error.message, "found a FIFO, expected a regular file");
    CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
    const int closed[] = {-1, ends[0]};
    for (size_t k = 0; k < LENGTH(closed); k++) {
        EXPECT(rr_client_from_fd(closed[k], NULL, &client, &error), -EBADF);
        CHECK(client == NULL);
        EXPECT(rr_server_from_fd(closed[k], NULL, &server, &error), -EBADF);
        EXPECT(error.code, -EBADF);
    }
}

static void a_channel_larger_than_the_file_system_is_enospc_and_leaves_no_file(void)
{
    rr_options large = RR_OPTIONS_INIT;
    large.slots = 65472;
    large.request_max = UINT64_C(1) << 30;
    struct statvfs memory;
    CHECK(statvfs("/dev/shm", &memory) == 0);
    /* Without a limit of its own the file system would take all memory before it says so. */
    if (memory.f_blocks == 0 || memory.f_blocks >= large.slots * large.request_max / memory.f_frsize)
        return;
    const char *name = new_name();
    rr_server *server;
    rr_error error;
    EXPECT(rr_server_new(name, &large, &server, &error), -ENOSPC);
    CHECK_CONTAINS(error.message, name);
    CHECK_CONTAINS(error.message, "cannot reserve");
    EXPECT(rr_unlink(name), -ENOENT);
}

static void a_message_on_a_long_path_shows_its_end_and_what_is_wrong(void)
{
    char path[400] = "./";
    memset(path + 2, 'd', 200);
    path[202] = '/';
    memset(path + 203, 'f', 150);
    rr_client *client;
    rr_error error;
    memset(&error, 'x', sizeof error);
    EXPECT(rr_client_new(path, NULL, &client, &error), -ENOENT);
    CHECK(strnlen(error.message, sizeof error.message) < sizeof error.message);
    CHECK(strncmp(error.message, "...", 3) == 0);
    CHECK_CONTAINS(error.message, path + strlen(path) - 100);
    CHECK_CONTAINS(error.message, "cannot open: No such file");
}

int main(void)
{
    RUN(what_is_not_there_is_enoent);
    RUN(files_that_are_no_channels_are_eproto);
    RUN(things_that_are_no_files_are_eproto);
    RUN(a_symbolic_link_is_eloop_wherever_it_leads);
    RUN(a_header_that_was_changed_is_eproto_and_the_field_is_named);
    RUN(a_file_that_was_cut_or_has_grown_is_eproto);
    RUN(descriptors_that_are_no_channels_are_refused);
    RUN(a_channel_larger_than_the_file_system_is_enospc_and_leaves_no_file);
    RUN(a_message_on_a_long_path_shows_its_end_and_what_is_wrong);
    return 0;
}
