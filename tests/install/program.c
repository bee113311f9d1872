/*
 * A server and, in a child, a client, as a stranger would write them against the installed header: in C and in C++. The
 * arguments are the version that is expected and the directory that the shared library is to be loaded from, or "" where
 * the program is linked with the static one.
 */
#include <shmrr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS INT64_C(1000000000)

static int failed(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    return 1;
}

/* Whether a file of shmrr is mapped, and none from elsewhere. */
static int loaded_from(const char *directory)
{
    char line[4352], expected[4096];
    int found = 0, strange = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    snprintf(expected, sizeof expected, "%s/libshmrr.so.", directory);
    while (maps && fgets(line, sizeof line, maps))
        if (strstr(line, "/libshmrr")) {
            found = 1;
            strange |= *directory == 0 || strstr(line, expected) == NULL;
        }
    if (maps)
        fclose(maps);
    return !strange && found == (*directory != 0);
}

static int call(const char *path)
{
    rr_client *client;
    rr_error error;
    char reply[64];
    int64_t length;
    if (rr_client_new(path, NULL, &client, &error) < 0)
        return failed("rr_client_new", error.message);
    length = rr_client_req(client, "installed", 9, reply, sizeof reply, 30 * SECONDS);
    if (length < 0)
        return failed("rr_client_req", rr_strerror((int)length));
    return length == 9 && memcmp(reply, "installed", 9) == 0 ? 0 : failed("rr_client_req", "another reply");
}

static int serve(rr_server *server)
{
    char text[64];
    rr_request request;
    int64_t length = rr_recv_wait(server, text, sizeof text, &request, 30 * SECONDS);
    int result;
    if (length < 0)
        return failed("rr_recv_wait", rr_strerror((int)length));
    result = rr_reply(server, request.id, text, (size_t)length);
    return result == 0 ? 0 : failed("rr_reply", rr_strerror(result));
}

int main(int argc, char **argv)
{
    char path[64];
    rr_server *server;
    rr_error error;
    pid_t child;
    int result, status = -1;
    if (argc != 3)
        return failed("usage", "program VERSION DIRECTORY");
    if (strcmp(rr_version(), argv[1]) != 0)
        return failed("rr_version", rr_version());
    if (!loaded_from(argv[2]))
        return failed("the library is not loaded from", argv[2]);
    snprintf(path, sizeof path, "/dev/shm/shmrr-installed-%ld", (long)getpid());
    if (rr_server_new(path, NULL, &server, &error) < 0)
        return failed("rr_server_new", error.message);
    child = fork();
    if (child == 0)
        _exit(call(path));
    result = serve(server);
    waitpid(child, &status, 0);
    unlink(path);
    return result == 0 && status == 0 ? 0 : 1;
}
