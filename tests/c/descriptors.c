/*
 * Descriptors are the program's: the library uses none of 0 to 2, goes on when the program closes those that it has, and
 * then touches none of the files that got their numbers.
 */
#include "fixture.h"

#include <sys/stat.h>

#define FILES 24

/* Files of the program's own, at the numbers that are free. */
typedef struct files {
    int fds[FILES];
    char name[32];
} files;

static files open_files(int flags)
{
    files opened;
    snprintf(opened.name, sizeof opened.name, "./log-%d", (int)getpid());
    for (size_t k = 0; k < FILES; k++) {
        opened.fds[k] = open(opened.name, O_RDWR | O_CREAT | O_CLOEXEC | flags, 0600);
        CHECK(opened.fds[k] >= 0);
    }
    return opened;
}

static void expect_untouched(const files *opened)
{
    struct stat file;
    for (size_t k = 0; k < FILES; k++) {
        CHECK(fstat(opened->fds[k], &file) == 0 && S_ISREG(file.st_mode));
        CHECK(file.st_size == 0);
        /* No byte of it is locked: asked by a description of its own. */
        int own = open(opened->name, O_RDWR | O_CLOEXEC);
        struct flock lock;
        memset(&lock, 0, sizeof lock);
        lock.l_type = F_WRLCK;
        CHECK(own >= 0 && fcntl(own, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_UNLCK);
        close(own);
    }
}

static void close_files(files *opened)
{
    expect_untouched(opened);
    for (size_t k = 0; k < FILES; k++)
        close(opened->fds[k]);
    unlink(opened->name);
}

/* As closefrom(3), which is newer than some C libraries. */
static void close_from_3(void)
{
    for (int fd = 3; fd < 256; fd++)
        close(fd);
}

static void no_descriptor_is_one_of_the_first_three(void)
{
    const char *name = new_name();
    pid_t child = fork_child();
    if (child == 0) {
        close(0);
        close(1);
        pair channel = {NULL, NULL};
        if (rr_server_new(name, NULL, &channel.server, NULL) != 0)
            _exit(2);
        if (rr_client_new(name, NULL, &channel.client, NULL) != 0)
            _exit(3);
        CHECK(rr_channel_fd(rr_client_channel(channel.client)) > 2);
        CHECK(rr_channel_request_fd_make(rr_server_channel(channel.server)) > 2);
        CHECK(rr_channel_reply_fd_set(rr_server_channel(channel.server),
                                      rr_channel_request_fd_make(rr_server_channel(channel.server))) == 0);
        CHECK(fcntl(0, F_GETFD) == -1 && fcntl(1, F_GETFD) == -1);
        expect_works(&channel);
        close_pair(&channel);
        child_ends();
    }
    expect_ended_well(child);
}

static void a_handle_goes_on_without_its_descriptors_and_leaves_those_of_others_alone(void)
{
    pid_t child = fork_child();
    if (child == 0) {
        pair channel = open_pair(4);
        CHECK(rr_channel_request_fd_make(rr_server_channel(channel.server)) > 2);
        close_from_3();
        files own = open_files(0);
        expect_works(&channel);
        EXPECT(rr_channel_recover(rr_server_channel(channel.server)), 0);
        EXPECT(rr_channel_fd(rr_server_channel(channel.server)), -EBADF);
        EXPECT(rr_channel_notify_requests(rr_server_channel(channel.server)), -ENXIO);
        expect_untouched(&own);
        pid_t grandchild = fork_child();
        if (grandchild == 0) {
            expect_untouched(&own);
            child_ends();
        }
        expect_ended_well(grandchild);
        close_pair(&channel);
        close_files(&own);
        child_ends();
    }
    expect_ended_well(child);
}

static void who_closed_its_descriptors_is_alive_until_it_ends(void)
{
    const char *name = new_name();
    rr_server *own;
    EXPECT(rr_server_new(name, NULL, &own, NULL), 0);
    gate ready = new_gate();
    pid_t child = fork_child();
    if (child == 0) {
        rr_client *client;
        EXPECT(rr_client_new(name, NULL, &client, NULL), 0);
        for (int fd = 3; fd < 256; fd++) {
            if (fd != ready.ends[1])
                close(fd);
        }
        open_gate(&ready);
        for (;;)
            pause();
    }
    pass_gate(&ready);
    EXPECT(rr_channel_recover(rr_server_channel(own)), 0);
    kill_and_reap(child);
    EXPECT(rr_channel_recover(rr_server_channel(own)), 1);
    rr_server_free(own);
    drop_gate(&ready);
}

/* By the path it does; without one, there is nothing left to join by. */
static void a_child_that_closed_all_descriptors_joins_by_the_path_or_says_that_it_cannot(void)
{
    const int flags[] = {0, O_APPEND, O_APPEND | O_NONBLOCK | O_DSYNC, O_NONBLOCK | O_DSYNC};
    for (size_t k = 0; k < LENGTH(flags); k++) {
        pair nameless = open_pair(4), named = {NULL, NULL};
        const char *name = new_name();
        EXPECT(rr_server_new(name, NULL, &named.server, NULL), 0);
        EXPECT(rr_client_new(name, NULL, &named.client, NULL), 0);
        pid_t child = fork_child();
        if (child == 0) {
            close_from_3();
            files own = open_files(flags[k]);
            char buffer[8];
            rr_request request;
            uint64_t id;
            EXPECT(rr_recv(nameless.server, buffer, sizeof buffer, &request), -ENOTCONN);
            EXPECT(rr_client_send(nameless.client, "x", 1, &id), -ENOTCONN);
            EXPECT(rr_channel_recover(rr_server_channel(nameless.server)), -ENOTCONN);
            expect_untouched(&own);
            expect_works(&named);
            expect_untouched(&own);
            close_pair(&nameless);
            close_pair(&named);
            close_files(&own);
            child_ends();
        }
        expect_ended_well(child);
        expect_works(&nameless);
        close_pair(&nameless);
        close_pair(&named);
    }
}

int main(void)
{
    RUN(no_descriptor_is_one_of_the_first_three);
    RUN(a_handle_goes_on_without_its_descriptors_and_leaves_those_of_others_alone);
    RUN(who_closed_its_descriptors_is_alive_until_it_ends);
    RUN(a_child_that_closed_all_descriptors_joins_by_the_path_or_says_that_it_cannot);
    return 0;
}
